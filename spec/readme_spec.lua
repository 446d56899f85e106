-- What README.md shows can be pasted, and prints what it says.
local certificates = require "spec.support.certificates"
local contexts = require "spec.support.contexts"
local csock = require "csock"
local process = require "spec.support.process"
local tree = require "spec.support.tree"

-- The blocks of Lua, in order, with `port` instead of the port that they use.
local function blocks(port)
  local list = {}
  for block in tree.read("README.md"):gmatch "```lua\n(.-)```" do
    list[#list + 1] = (block:gsub("21567", tostring(port)))
  end
  return list
end

local function exists(path)
  local file <close> = io.open(path)
  return file ~= nil
end

local function free_port()
  local s <close> = assert(csock.create_server { "", 0 })
  return s:getsockname().port
end

local function block_with(pattern, port)
  for _, block in ipairs(blocks(port)) do
    if block:find(pattern) then return block end
  end
  error("README.md has no block with " .. pattern)
end

local function prompt()
  local p = process.lua({ "-i" }, { pty = true })
  p:expect "> "
  return p
end

describe("README.md", function()
  it("shows a client that can be typed at a prompt", function()
    local port = free_port()
    local server <close> = process.lua { "-e", "io.stdout:setvbuf 'line'\n" .. block_with("csock.serve%(", port)
      :gsub("csock.run%(%)", "print 'ready' %0") }
    server:expect "ready"
    local client <close> = prompt()
    for line in block_with('create_connection{"localhost"', port):gmatch "[^\n]+" do
      client:write(line, "\n")
      client:expect(line:find "recv" and "\n%[[^%]\n]+%] hi\r\n> " or "\n> ")
    end
    server:expect "connected from:\t%('127.0.0.1', %d+%)"
  end)

  it("shows a server for many clients", function()
    local port = free_port()
    local server <close> = process.lua { "-e", "io.stdout:setvbuf 'line'\n" .. block_with("csock.serve%(", port) }
    local clients = {}
    local deadline = csock.now() + 10
    repeat
      clients[1] = csock.create_connection { "localhost", port }
    until clients[1] or csock.now() > deadline
    clients[2] = assert(csock.create_connection { "localhost", port })
    for i = #clients, 1, -1 do
      assert(clients[i]:sendall("hi " .. i .. "\r\n"))
      assert.matches("^%[[^%]\n]+%] hi " .. i .. "\r\n$", clients[i]:recv(1024))
    end
    for _, client in ipairs(clients) do client:close() end
    server:expect "^%.%.%.connected from:\t%('127%.0%.0%.1', %d+%)\n"
    server:signal "SIGINT"
    server:wait()
  end)

  local test = contexts.missing and pending or it

  test("shows a client over TLS, which trusts the system's authorities", function()
    local server <close> = process.lua { "-e", contexts.SERVER .. [[
      local csock = require "csock"
      local server = assert(csock.serve({ "127.0.0.1", 0 }, function(conn)
        conn:recv(1024)
        conn:sendall "HTTP/1.1 200 OK"
      end, { ssl = ctx }))
      print(server:getsockname().port)
      io.stdout:flush()
      csock.run()
    ]] }
    local port = server:read_line()
    local block = block_with("ssl = true", port):gsub('{"example.org", 443}', ('{"localhost", %s}'):format(port))
    local status, out, err = process.run({ process.interpreter, "-e", "csock = require 'csock'\n" .. block },
      { env = { SSL_CERT_FILE = certificates.ca.cert } })
    assert.equal("", err)
    assert.equal(0, status)
    assert.equal("TLSv1.3\tHTTP/1.1 200 OK\n", out)
  end)

  it("says what its other examples print", function()
    local checked = 0
    for _, block in ipairs(blocks(1)) do
      local expected = {}
      if not block:find "serve" and not block:find "recv" then
        for line in block:gmatch "[^\n]+" do expected[#expected + 1] = line:match "%-%->%s(.*)$" end
        local status, out, err = process.run { process.interpreter, "-e", "csock = require 'csock'\n" .. block }
        assert.equal("", err)
        assert.equal(0, status)
        assert.equal(table.concat(expected, "\n") .. "\n", out)
        checked = checked + #expected
      end
    end
    assert.is_true(checked >= 2)
  end)

  it("is read in two minutes", function()
    assert.is_true(select(2, tree.read("README.md"):gsub("\n", "")) <= 120)
  end)

  it("leads, as the guides do, to what is there", function()
    for _, page in ipairs { "README.md", "doc/from-python.md", "doc/many-clients.md", "doc/speed.md",
      "doc/tls.md", "doc/http.md", "doc/mail.md", "doc/prompt.md", "doc/from-twisted.md" } do
      local text, folder = tree.read(page), page:match "^(.*/)" or ""
      for target in text:gmatch "%]%(([^)#]+)%)" do
        assert.is_true(exists(folder .. target), page .. " leads to " .. target)
      end
      for target in text:gmatch "`([%l]+/[%w_/.-]+)`" do
        if not target:find "^build/" then assert.is_true(exists(target), page .. " names " .. target) end
      end
    end
  end)
end)
