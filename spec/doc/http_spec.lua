-- doc/http.md: every program in it runs, and prints what it says; nginx takes its lines.
local csock = require "csock"
local guide = require "spec.support.guide"
local httpd = require "spec.support.httpd"
local keep = require "spec.support.keep"
local nginx = require "spec.support.nginx"
local process = require "spec.support.process"
local websocket = require "csock.websocket"

local PAGE = "doc/http.md"

local function free_port()
  local s <close> = assert(csock.create_server { "127.0.0.1", 0 })
  return s:getsockname().port
end

describe(PAGE, function()
  local programs = guide.blocks(PAGE, "lua")
  after_each(keep.close)

  -- The program with these words in it, with a port that is free instead of 8080; and the port.
  local function find(words)
    for _, code in ipairs(programs) do
      if code:find(words, 1, true) and not guide.tells(code) then
        local port = free_port()
        return code:gsub("8080", tostring(port)), port
      end
    end
    error("no program has: " .. words)
  end

  -- Starts it, and waits until it can be connected to.
  local function start(code, port)
    local program = keep(process.lua({ "-e", code }, { env = guide.environment() }))
    local deadline = csock.now() + httpd.LIMIT
    repeat
      local s <close> = csock.create_connection { "127.0.0.1", port }
    until s or csock.now() > deadline
    program.port = port
    return program
  end

  for i, code in ipairs(programs) do
    if guide.tells(code) then
      local test = code:find '"cjson"' and not pcall(require, "cjson") and pending or it
      test(("has a program %d that prints what the page says"):format(i), function()
        local progress = code:find "io%.stderr"
        if not progress then return guide.check(code) end
        local status, out, err = process.run { process.interpreter, "-W", "-e", code }
        assert.same({ 0, "1000000\n" }, { status, out })
        assert.matches("^\r  0 %% of 1000 kB\r.*\r100 %% of 1000 kB\n$", err)
      end)
    end
  end

  it("has a client and a server of ten lines, which understand each other", function()
    local code, port = find "hello, "
    local server = start(code, port)
    local client = find("example.org"):gsub("http://example%.org", "http://127.0.0.1:" .. port)
    local status, out, err = process.run({ process.interpreter, "-e", client }, { env = { http_proxy = false } })
    assert.same({ 0, "200\tOK\ntext/plain\n17\n", "" }, { status, out, err })
    server:expect_err '"GET / HTTP/1.1" 200 17\n'
  end)

  it("has a line that shows a directory", function()
    local line, port = guide.blocks(PAGE, "sh")[1], free_port()
    line = line:gsub("^lua5%.4", process.interpreter):gsub("8000", tostring(port))
    local env = { LD_PRELOAD = os.getenv "LD_PRELOAD" } -- for a sanitizer, which the shell passes on
    local server = keep(process.start({ "sh", "-c", "exec " .. line }, { env = env }))
    server:expect "listening on port %d+\n"
    server.port = port
    assert.matches("# HTTP", select(3, httpd.get(server, "/http.md")))
  end)

  describe("has lines for nginx,", function()
    if not nginx.path then return it("and programs behind it", function() pending "no nginx" end) end

    -- nginx as the page has it, before a program on this port.
    local function front(port)
      local site = guide.blocks(PAGE, "nginx")[1]:gsub("8080", tostring(port))
      return keep(nginx.start((site:gsub("listen 80;", "listen 127.0.0.1:PORT;"))))
    end

    it("and a program behind it", function()
      local code, port = find "x-forwarded-for"
      start(code, port)
      local proxy = front(port)
      for _, path in ipairs { "/", "/events" } do
        local _, _, text = httpd.get(proxy, path, "X-Forwarded-For: 1.2.3.4", "Connection: close")
        assert.equal("a for 127.0.0.1\n", text)
      end
    end)

    it("and WebSockets behind it, from its own pages alone", function()
      local server = httpd.start [[
        local websocket = require "csock.websocket"
        serve(function(request)
          return websocket.upgrade(request, function(ws)
            for message in ws:messages() do ws:send(message) end
          end)
        end)
        csock.run()
      ]]
      local port = front(server.port).port
      local url, options = ("ws://127.0.0.1:%d/room"):format(port), { timeout = httpd.LIMIT, proxies = false }
      options.origin = "http://127.0.0.1:" .. port
      local ws <close> = assert(websocket.connect(url, options))
      for i = 1, 3 do
        assert(ws:send("message " .. i))
        assert.equal("message " .. i, (ws:recv(httpd.LIMIT)))
      end
      options.origin = "http://elsewhere.example"
      local _, err = websocket.connect(url, options)
      assert.equal(403, err.code)
    end)
  end)
end)
