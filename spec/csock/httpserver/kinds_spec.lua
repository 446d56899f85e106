-- Python's request handlers in each kind of server, in the clear and over TLS.
local class = require "csock.class"
local contexts = require "spec.support.contexts"
local csock = require "csock"
local http = require "csock.http"
local httpd = require "spec.support.httpd"
local httpserver = require "csock.httpserver"
local keep = require "spec.support.keep"
local posix = require "spec.support.posix"
local serving = require "spec.support.serving"
local streams = require "spec.support.streams"

local PROGRAM = [[
  local Base = class("Base", httpserver.BaseHTTPRequestHandler)
  function Base:do_GET()
    local text = self.command .. " " .. self.path
    self:send_response(200)
    self:send_header("Content-Length", #text)
    self:end_headers()
    self.wfile:write(text)
  end
  function Base:do_POST()
    local text = assert(self.rfile:read "a")
    self:send_response(200)
    self:send_header("Content-Length", #text)
    self:end_headers()
    self.wfile:write(text)
  end
  local classes = {
    base = Base, simple = class("Simple", httpserver.SimpleHTTPRequestHandler),
    cgi = class("Programs", httpserver.CGIHTTPRequestHandler),
  }
  local Handler = classes[%q]
  Handler.protocol_version, Handler.directory = "HTTP/1.1", %q
  function Handler.log_message() end
  local server = assert(httpserver[%q]({ "127.0.0.1", 0 }, Handler, { ssl_context = ctx }))
  ready(server.server_port)
  server:serve_forever()
]]

local BIG = ("0123456789"):rep(200000)

for _, secure in ipairs { false, true } do
  local missing = secure and contexts.missing
  local test = missing and pending or it

  describe(secure and "over TLS" or "in the clear", function()
    local root

    setup(function()
      root = assert(posix.mkdtemp())
      assert(os.execute(("mkdir -p '%s/cgi-bin'"):format(root)))
      local function write(path, text)
        local file <close> = assert(io.open(root .. "/" .. path, "w"))
        file:write(text)
      end
      write("big", BIG)
      write("cgi-bin/echo", "#!/bin/sh\nprintf 'X-Method: %s\\n\\n' \"$REQUEST_METHOD\"; cat\n")
      assert(os.execute(("chmod +x '%s/cgi-bin/echo'"):format(root)))
    end)
    teardown(function() os.execute(("rm -rf '%s'"):format(root)) end)
    after_each(keep.close)

    -- A server, a session of a client that trusts it, and its address.
    local function start(handler, kind)
      local code = PROGRAM:format(handler, root, kind)
      local server = httpd.start(secure and contexts.SERVER .. code or "local ctx\n" .. code, { group = true })
      return keep(http.Session { timeout = httpd.LIMIT, proxies = false, ssl = secure and contexts.client() or nil }),
        ("%s://localhost:%d"):format(secure and "https" or "http", server.port)
    end

    for _, kind in ipairs { "HTTPServer", "ThreadingHTTPServer", "ForkingHTTPServer", "PreforkHTTPServer" } do
      for how, run in pairs(streams.ways) do
        test(("a %s has BaseHTTPRequestHandlers, asked %s"):format(kind, how), function()
          local session, base = start("base", kind)
          run(function()
            for i = 1, 5 do
              assert.equal("GET /" .. i, assert(session:get(base .. "/" .. i)).body)
              local body = BIG:sub(1, i * 100000)
              assert.is_true(body == assert(session:post(base .. "/", { data = body })).body)
            end
            assert.equal(1, #session.pool.list)
          end)
        end)
      end

      test(("a %s shows files, and parts of them"):format(kind), function()
        local session, base = start("simple", kind)
        assert.is_true(BIG == assert(session:get(base .. "/big")).body)
        local part = assert(session:get(base .. "/big", { headers = { Range = "bytes=5-14" } }))
        assert.same({ 206, "5678901234" }, { part.status, part.body })
        assert.matches("big", assert(session:get(base .. "/")).body)
        assert.equal(404, assert(session:get(base .. "/nowhere")).status)
      end)

      test(("a %s runs programs"):format(kind), function()
        local session, base = start("cgi", kind)
        for _ = 1, 3 do
          local answer = assert(session:post(base .. "/cgi-bin/echo", { data = BIG:sub(1, 500000) }))
          assert.equal("POST", answer.headers["x-method"])
          assert.is_true(BIG:sub(1, 500000) == answer.body)
        end
        assert.is_true(BIG == assert(session:get(base .. "/big")).body)
      end)
    end

    test("a ThreadingHTTPServer in a task goes on for others while one client waits", function()
      local Handler = class("Handler", httpserver.BaseHTTPRequestHandler)
      Handler.protocol_version = "HTTP/1.1"
      local go = csock.loop.event()
      function Handler.log_message() end
      function Handler:do_GET()
        if self.path == "/wait" then go:wait() end
        if self.path == "/go" then go:set() end
        self:send_response(200)
        self:send_header("Content-Length", 0)
        self:end_headers()
      end
      local server = serving.make(httpserver.ThreadingHTTPServer, Handler,
        { ssl_context = secure and contexts.server() or nil })
      serving.during(server, function()
        local session <close> = http.Session {
          timeout = httpd.LIMIT, proxies = false, ssl = secure and contexts.client() or nil,
        }
        local base = ("%s://localhost:%d"):format(secure and "https" or "http", server.server_port)
        local first = csock.spawn(function() return assert(session:get(base .. "/wait")).status end)
        assert.equal(200, assert(session:get(base .. "/else")).status)
        assert.equal(200, assert(session:get(base .. "/go")).status)
        assert.equal(200, first:join())
      end)
    end)
  end)
end
