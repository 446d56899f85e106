-- Servers over TLS: the handshake is made where the request is seen to, in a bounded time, and what fails in it reaches
-- no handler.
local contexts = require "spec.support.contexts"
local csock = require "csock"
local class = require "csock.class"
local keep = require "spec.support.keep"
local posix = require "spec.support.posix"
local process = require "spec.support.process"
local serving = require "spec.support.serving"
local socketserver = require "csock.socketserver"

local E = csock.errno
local LIMIT = 10 * process.slowness
local rest = contexts.rest

if contexts.missing then
  pending("socketserver over TLS: " .. contexts.missing)
  return
end

local client, server_context
setup(function() client, server_context = contexts.client(), contexts.server() end)
after_each(keep.close)

local function plain(server) return keep(serving.connect(server)) end

-- A connection over TLS to a server, at whatever kind of address.
local function dial(server, context)
  local s = plain(server)
  s:settimeout(LIMIT)
  local ok, err, errno = (context or client):wrap_socket(s, { server_hostname = "localhost" })
  return ok, err, errno
end

local function ask(server, line)
  local s <close> = assert(dial(server))
  return serving.ask(s, line)
end

-- A client that sends garbage, and waits for the end.
local function annoy(server, garbage)
  local s = plain(server)
  assert(s:sendall(garbage))
  assert(s:shutdown(csock.SHUT_WR))
  rest(s)
end

local STREAMS = {
  "TCPServer", "ThreadingTCPServer", "ForkingTCPServer",
  "UnixStreamServer", "ThreadingUnixStreamServer", "ForkingUnixStreamServer",
}

for _, name in ipairs(STREAMS) do
  describe(name .. " over TLS", function()
    local dir
    before_each(function() dir = assert(posix.mkdtemp()) end)
    after_each(function() os.execute("rm -rf '" .. dir .. "'") end)

    local function make(handler, options)
      options = options or {}
      options.ssl_context = options.ssl_context or server_context
      local address = name:find "Unix" and dir .. "/socket" or { "127.0.0.1", 0 }
      return assert(socketserver[name](address, handler or serving.Echo, options))
    end

    it("serves clients one after the other, each with its certificate shown", function()
      local server = make()
      serving.during(server, function()
        for i = 1, 3 do assert.equal("line " .. i, ask(server, "line " .. i)) end
        local _, err = dial(server, contexts.client "unknown_ca")
        assert.equal("CERTIFICATE_VERIFY_FAILED", err.name)
        assert.equal("still there", ask(server, "still there"))
      end)
    end)

    it("gives the handler a connection with the handshake made, and the timeout that it would have had", function()
      local server = make(serving.handler(function(self)
        self.rfile:readline(100)
        self.wfile:write(("%s %s\n"):format(self.request:version(), self.request:gettimeout()))
      end))
      serving.during(server, function()
        local s = assert(dial(server))
        assert.matches("^TLSv1%.%d nil$", serving.ask(s, "hello"))
        assert.equal("", s:recv(1)) -- and its end is said
      end)
    end)

    it("lets what fails in the handshake reach neither the handler nor standard error", function()
      local server = make(serving.handler(function() io.stderr:write "the handler was called" end))
      local written = serving.captured(function()
        serving.during(server, function()
          annoy(server, "GET / HTTP/1.0\r\n\r\n")
          annoy(server, ("\0"):rep(1000))
          annoy(server, "")
        end)
      end)
      assert.equal("", written)
    end)

    it("is held up no longer than handshake_timeout by a client that is silent", function()
      local server = make(nil, { handshake_timeout = 0.1 })
      serving.during(server, function()
        local silent = plain(server)
        assert.equal("hello", ask(server, "hello"))
        assert.equal("", rest(silent))
      end)
    end)
  end)
end

describe("a server over TLS", function()
  local function make(kind, handler, options)
    options = options or {}
    options.ssl_context = options.ssl_context or server_context
    return serving.make(kind, handler, options)
  end

  it("tells handle_handshake_error what was wrong", function()
    local told
    local Server = class("Server", socketserver.TCPServer)
    function Server.handle_handshake_error(_, request, address, err) told = { request, address, err.name } end
    local server = make(Server)
    local s
    serving.during(server, function()
      s = plain(server)
      assert(s:sendall "GET / HTTP/1.0\r\n\r\n")
      rest(s)
    end)
    assert.equal("csock.socket", tostring(told[1]):match "csock.socket")
    assert.same({ s:getsockname(), "HTTP_REQUEST" }, { told[2], told[3] })
  end)

  it("tells handle_error of an error of sni_callback", function()
    local ctx = contexts.server()
    function ctx.sni_callback() error "oh dear" end
    local server = make("ThreadingTCPServer", nil, { ssl_context = ctx })
    local written = serving.captured(function()
      serving.during(server, function() assert.is_nil((dial(server))) end)
    end)
    assert.matches("oh dear", written)
  end)

  it("may have its context in a field, of the class too, and get another one while it serves", function()
    local Server = class("Server", socketserver.ThreadingTCPServer)
    Server.ssl_context = server_context
    local server = serving.make(Server)
    serving.during(server, function()
      local old = assert(dial(server))
      assert.equal("one", serving.ask(old, "one"))
      server.ssl_context = contexts.server "expired"
      local _, err = dial(server)
      assert.equal("CERTIFICATE_VERIFY_FAILED", err.name)
      assert.matches("expired", err.verify_message)
      assert.equal("two", serving.ask(old, "two"))
      old:close()
    end)
  end)

  it("never speaks in the clear, whatever is overridden", function()
    local Server = class("Server", socketserver.TCPServer)
    function Server.verify_request(_, request)
      request:settimeout(0)
      request:send "welcome"
      request:settimeout(nil)
      return true
    end
    function Server.finish_request(_, request) request:sendall "in the clear?" end
    local server = make(Server)
    serving.during(server, function()
      local s = plain(server)
      assert(s:sendall "GET / HTTP/1.0\r\n\r\n")
      assert.is_nil((rest(s):find "[%a]+ "))
      s = assert(dial(server))
      assert.equal("in the clear?", s:recv(13, csock.MSG_WAITALL))
    end)
  end)

  it("sees to others while handshakes stall: tasks, of which max_connections counts all", function()
    local Server = class("Server", socketserver.ThreadingTCPServer)
    Server.max_connections = 3
    local server = make(Server, nil, { handshake_timeout = 0.3 })
    serving.during(server, function()
      local first, second = plain(server), plain(server)
      for i = 1, 3 do assert.equal("line " .. i, ask(server, "line " .. i)) end
      local third = plain(server)
      assert.equal("at last", ask(server, "at last")) -- when one of them has been given up
      for _, s in ipairs { first, second, third } do assert.equal("", rest(s)) end
    end)
  end)

  it("is shut down and closed while a handshake is under way", function()
    local server = make("ThreadingTCPServer", nil, { handshake_timeout = 0.1 })
    local silent
    serving.during(server, function()
      silent = plain(server)
      while server._task_count == 0 do csock.sleep(0.001) end
    end)
    assert.equal("", rest(silent))
  end)

  it("takes a handshake by handle_request, and returns when that was in vain", function()
    local server = keep(make("TCPServer", nil, { handshake_timeout = 0.05 }))
    local silent = plain(server)
    assert.is_true(server:handle_request())
    assert.equal("", rest(silent))
  end)

  it("refuses datagrams", function()
    local server = keep(assert(socketserver.UDPServer({ "127.0.0.1", 0 }, serving.Echo,
      { ssl_context = server_context })))
    local s = keep(csock.socket(csock.AF_INET, csock.SOCK_DGRAM))
    assert(s:sendto("hello", server.server_address))
    assert.matches("socket expected", serving.captured(function() server:handle_request() end))
    s:settimeout(0)
    assert.equal(E.EAGAIN, select(3, s:recv(10)))
  end)

  it("raises for what is no server's context", function()
    for _, bad in ipairs { true, 1, {}, client } do
      assert.error_matches(function() serving.make("TCPServer", nil, { ssl_context = bad }) end,
        "ssl_context: a server's SSLContext expected")
    end
    assert.error_matches(function() serving.make("TCPServer", nil, { handshake_timeout = -1 }) end,
      "handshake_timeout: seconds > 0 expected")
  end)
end)

for _, name in ipairs { "ForkingTCPServer", "PreforkTCPServer" } do
  describe(name .. " over TLS, in a process of its own,", function()
    local server
    setup(function()
      server = serving.start(contexts.SERVER .. ([[
        local Server = class("Server", socketserver.%s)
        Server.workers = 2
        Server.handshake_timeout = 0.2
        local server = assert(Server({ "127.0.0.1", 0 }, serving.handler(function(self)
          for line in self.rfile:lines "L" do
            assert(self.wfile:write(line == "pid\n" and csock.getpid() .. "\n" or line))
          end
        end), { ssl_context = ctx }))
      ]]):format(name))
    end)
    teardown(function() server:kill() end)

    it("makes each handshake in the process that serves, beside others that stall", function()
      local stalled = {}
      for i = 1, 5 do stalled[i] = plain(server) end
      for i = 1, 5 do
        local s = assert(dial(server))
        assert.equal("line " .. i, serving.ask(s, "line " .. i))
        assert.not_equal(server.pid, tonumber(serving.ask(s, "pid")))
        s:close()
      end
      for _, s in ipairs(stalled) do assert.equal("", rest(s)) end
      annoy(server, "GET / HTTP/1.0\r\n\r\n")
      assert.equal("", server.err)
    end)
  end)
end
