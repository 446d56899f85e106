-- BaseServer, TCPServer, UDPServer: hooks, serving, shutting down, failures. The Unix servers: unix_spec.lua.
local csock = require "csock"
local class = require "csock.class"
local loop = csock.loop
local socketserver = require "csock.socketserver"
local keep = require "spec.support.keep"
local serving = require "spec.support.serving"

after_each(keep.close)

local HOOKS = {
  "server_bind", "server_activate", "get_request", "verify_request", "process_request", "process_request_thread",
  "finish_request", "shutdown_request", "close_request", "handle_error", "handle_timeout", "service_actions",
  "server_close",
}

-- A server and a handler that write down which hook is called; `script` says what they do there.
local function logging(kind, handler_kind, script)
  local log = {}
  local Server, Handler = class("Server", socketserver[kind]), class("Handler", socketserver[handler_kind])
  for _, hook in ipairs(HOOKS) do
    if Server[hook] then
      Server[hook] = function(self, ...)
        log[#log + 1] = hook
        if script[hook] then return script[hook](self, ...) end
        return Server.super[hook](self, ...)
      end
    end
  end
  for _, hook in ipairs { "setup", "handle", "finish" } do
    Handler[hook] = function(self)
      log[#log + 1] = hook
      Handler.super[hook](self)
      if script[hook] then script[hook](self) end
    end
  end
  return assert(Server({ "127.0.0.1", 0 }, Handler)), log
end

local function fail() error "on purpose" end
local function quiet() end

-- What CPython 3.11 calls for one handle_request and then server_close.
local orders = {
  { "a request", {}, "process_request (process_request_thread) finish_request setup handle finish" },
  { "a request that is refused", { verify_request = function() return false end }, "" },
  { "a setup that fails", { setup = fail, handle_error = quiet },
    "process_request (process_request_thread) finish_request setup handle_error" },
  { "a handle that fails", { handle = fail, handle_error = quiet },
    "process_request (process_request_thread) finish_request setup handle finish handle_error" },
  { "a finish that fails", { finish = fail, handle_error = quiet },
    "process_request (process_request_thread) finish_request setup handle finish handle_error" },
}

local kinds = {
  TCPServer = "StreamRequestHandler", UDPServer = "DatagramRequestHandler",
  ThreadingTCPServer = "StreamRequestHandler", ThreadingUDPServer = "DatagramRequestHandler",
}

local function send_one(server)
  local client = keep(assert(csock.socket(csock.AF_INET, server.socket_type)))
  client:settimeout(5)
  assert(client:connect(server.server_address))
  assert(client:send "x")
  return client
end

describe("the hooks", function()
  for kind, handler_kind in pairs(kinds) do
    for _, order in ipairs(orders) do
      it("of a " .. kind .. " are called in Python's order for " .. order[1], function()
        local server, log = logging(kind, handler_kind, order[2])
        local client = send_one(server)
        assert.is_true(server:handle_request())
        server:server_close()
        if kind:find "TCP" then assert.equal("", client:recv(10)) end -- closed in every case
        local expected = "server_bind server_activate get_request verify_request " .. order[3]
          .. " shutdown_request close_request server_close"
        expected = expected:gsub("%((.-)%)", kind:find "Threading" and "%1" or ""):gsub(" +", " ")
        -- With tasks, the end of the request comes after the server is closed, which waits for it.
        local last = table.concat(log, " "):gsub(" server_close", "") .. " server_close"
        assert.equal(expected, last)
      end)
    end

    it("of a " .. kind .. " are called in Python's order when there is no request", function()
      local server, log = logging(kind, handler_kind, {})
      server.timeout = 0.01
      server:handle_request()
      server:server_close()
      assert.equal("server_bind server_activate handle_timeout server_close", table.concat(log, " "))
    end)
  end

  it("are those of the class at the moment of the call", function()
    local Server = class("Server", socketserver.TCPServer)
    local server = keep(serving.make(Server))
    function Server.verify_request() return false end
    serving.during(server, function()
      assert.equal("", keep(serving.connect(server)):recv(1))
      Server.verify_request = nil
      assert.equal("hi", serving.ask_once(server, "hi"))
    end)
  end)

  it("include service_actions after each request, and every poll_interval when nothing happens", function()
    local Server = class("Server", socketserver.TCPServer)
    local times = 0
    function Server:service_actions()
      times = times + 1
      if times == 3 then self:shutdown() end
    end
    local server = keep(serving.make(Server))
    assert.is_true(server:serve_forever(0.001))
    assert.equal(3, times)
    times = 1
    csock.spawn(function() serving.ask_once(server, "hi") end)
    csock.spawn(function() keep(serving.connect(server)):close() end)
    assert.is_true(server:serve_forever(1000))
  end)

  it("may raise in verify_request: the connection is closed, and the server goes on", function()
    local Server = class("Server", socketserver.TCPServer)
    Server.verify_request = fail
    local server = keep(serving.make(Server))
    local text = serving.captured(function()
      serving.during(server, function()
        for _ = 1, 2 do assert.equal("", keep(serving.connect(server)):recv(1)) end
      end)
    end)
    assert.matches("on purpose", text)
  end)

  it("end serve_forever when handle_error raises, as in Python", function()
    local Server = class("Server", socketserver.TCPServer)
    function Server.handle_error(_, _, _, err) error(err, 0) end
    local server = keep(serving.make(Server, serving.handler(fail)))
    local client
    csock.spawn(function() client = serving.connect(server) end)
    local ok, err = pcall(server.serve_forever, server)
    assert.is_false(ok)
    assert.matches("on purpose", err)
    assert.equal("", client:recv(1))
  end)
end)

describe("serve_forever", function()
  for _, kind in ipairs { "TCPServer", "ThreadingTCPServer" } do
    it("serves outside of tasks, with a " .. kind, function()
      local server = keep(serving.make(kind))
      local replies = {}
      csock.spawn(function()
        for i = 1, 3 do
          local client <close> = serving.connect(server)
          replies[i] = serving.ask(client, "hi " .. i)
        end
        server:shutdown()
      end)
      assert.is_true(server:serve_forever())
      assert.same({ "hi 1", "hi 2", "hi 3" }, replies)
    end)

    it("serves in a task, with a " .. kind, function()
      local server = keep(serving.make(kind))
      serving.during(server, function()
        for i = 1, 3 do
          local client <close> = serving.connect(server)
          assert.equal("hi " .. i, serving.ask(client, "hi " .. i))
        end
      end)
    end)
  end

  it("lets other tasks go on while a handler waits", function()
    local server = keep(serving.make("TCPServer", serving.handler(function(self) self.rfile:read() end)))
    serving.during(server, function()
      local client = keep(serving.connect(server))
      for _ = 1, 10 do csock.sleep(0) end
      assert(client:sendall "enough\n")
      assert.equal("", client:recv(1))
    end)
  end)

  it("can be called again after shutdown", function()
    local server = keep(serving.make "TCPServer")
    for _ = 1, 3 do
      csock.spawn(function()
        assert.equal("hi", serving.ask_once(server, "hi"))
        server:shutdown()
      end)
      assert.is_true(server:serve_forever())
      csock.spawn(server.shutdown, server) -- at once
      assert.is_true(server:serve_forever())
    end
  end)

  it("refuses a poll_interval that is none", function()
    local server = keep(serving.make "TCPServer")
    for _, interval in ipairs { -1, 0 / 0, "x", {} } do
      assert.error_matches(function() server:serve_forever(interval) end,
        "^bad argument #1 to 'serve_forever' %(seconds >= 0 expected, got ")
    end
  end)

  it("serves also when it is to call service_actions without a pause", function()
    local Server = class("Server", socketserver.TCPServer)
    function Server.service_actions() end
    local server = keep(serving.make(Server))
    csock.spawn(function()
      assert.equal("hi", serving.ask_once(server, "hi"))
      server:shutdown()
    end)
    assert.is_true(server:serve_forever(0))
  end)

  it("cannot be called twice at once", function()
    local server = keep(serving.make "TCPServer")
    serving.during(server, function()
      csock.sleep(0)
      assert.error_matches(function() server:serve_forever() end, "serve_forever is running already")
    end)
  end)

  it("ends with the error when the server is closed", function()
    local server = keep(serving.make "TCPServer")
    csock.spawn(function() server:server_close() end)
    local ok, err, errno = server:serve_forever()
    assert.is_nil(ok)
    assert.equal("EBADF", err.name)
    assert.equal(csock.errno.EBADF, errno)
    server:server_close()
  end)

  it("ends with the error when the server does not listen", function()
    local server = keep(serving.make("TCPServer", nil, false))
    local ok, err = server:serve_forever()
    assert.is_nil(ok)
    assert.equal("EINVAL", err.name)
  end)

  it("outlives requests that get_request cannot give, and does not spin", function()
    local Server = class("Server", socketserver.TCPServer)
    local calls = 0
    function Server:get_request()
      calls = calls + 1
      if calls % 2 == 0 then return nil, "no handshake" end
      if calls % 3 == 0 then error(select(2, csock.if_nametoindex "no such thing")) end
      return Server.super.get_request(self)
    end
    local server = keep(serving.make(Server))
    serving.during(server, function()
      for _ = 1, 4 do assert.equal("hi", serving.ask_once(server, "hi")) end
    end)
    function Server.get_request() calls = calls + 1; return nil, "never" end
    calls = 0
    csock.spawn(function() csock.sleep(0.2); server:shutdown() end)
    local other = keep(assert(serving.make(Server)))
    keep(serving.connect(other))
    csock.spawn(function() csock.sleep(0.2); other:shutdown() end)
    other:serve_forever()
    assert.is_true(calls < 40, calls)
  end)

  it("raises what a get_request of one's own raises, also what cannot be asked for its fields", function()
    local value = debug.upvalueid(fail, 1) -- a userdata whose fields cannot be read
    local server <close> = serving.make("TCPServer")
    function server:get_request() error(value) end -- luacheck: ignore 212
    keep(serving.connect(server))
    assert.same({ false, value }, { pcall(server.handle_request, server) })
  end)

  it("raises what a hook raises that is called for no request", function()
    local Server = class("Server", socketserver.TCPServer)
    Server.service_actions = fail
    local server = keep(serving.make(Server))
    assert.error_matches(function() server:serve_forever(0.001) end, "on purpose")
    Server.service_actions = nil
    serving.during(server, function() -- and it serves again
      assert.equal("hi", serving.ask_once(server, "hi"))
    end)
  end)
end)

describe("shutdown", function()
  it("may be called from a handler, in the server's own task", function()
    local server = keep(serving.make("TCPServer", serving.handler(function(self)
      self.wfile:write("bye\n")
      self.server:shutdown()
      self.wfile:write("still here\n")
    end)))
    local client
    csock.spawn(function() client = keep(serving.connect(server)) end)
    assert.is_true(server:serve_forever())
    assert.equal("bye\nstill here\n", client:makefile():read "a")
  end)

  it("may be called from a handler in a task of its own", function()
    local ended
    local server = keep(serving.make("ThreadingTCPServer", serving.handler(function(self)
      self.server:shutdown()
      ended = self.server:shutdown()
    end)))
    csock.spawn(function() keep(serving.connect(server)) end)
    assert.is_true(server:serve_forever())
    server:server_close()
    assert.is_true(ended)
  end)

  it("may be called from a signal's handler", function()
    local server = keep(serving.make "TCPServer")
    local caught = loop.on_signal("SIGUSR2", function() server:shutdown() end)
    assert.is_true(caught)
    csock.spawn(function() csock.kill(csock.getpid(), "SIGUSR2") end)
    assert.is_true(server:serve_forever())
    loop.on_signal("SIGUSR2", nil)
  end)

  for _, kind in ipairs { "TCPServer", "ThreadingTCPServer" } do
    for _, hook in ipairs { "get_request", "verify_request", "process_request", "finish_request", "shutdown_request",
      "close_request", "handle_error", "service_actions" } do
      it("may be called from the hook " .. hook .. ", with a " .. kind, function()
        local Server = class("Server", socketserver[kind])
        Server[hook] = function(self, ...)
          assert.is_true(self:shutdown())
          if hook == "handle_error" then return end
          return Server.super[hook](self, ...)
        end
        local server = keep(serving.make(Server, serving.handler(fail)))
        if hook ~= "handle_error" then server.handle_error = quiet end
        local client
        csock.spawn(function() client = keep(serving.connect(server)) end)
        assert.is_true(server:serve_forever())
        server:server_close()
        assert.is_true(client:fileno() >= 0)
      end)
    end
  end

  for where, call in pairs {
    ["a callback of the loop"] = function(shutdown) loop.call_later(0.01, shutdown) end,
    ["a task's callback"] = function(shutdown) csock.spawn(csock.sleep, 0.01):add_done_callback(shutdown) end,
    ["a finalizer"] = function(shutdown)
      csock.spawn(function()
        csock.sleep(0.01)
        setmetatable({}, { __gc = shutdown })
        collectgarbage()
      end)
    end,
    ["where Lua cannot yield"] = function(shutdown)
      csock.spawn(function()
        csock.sleep(0.01)
        string.gsub("x", "x", shutdown)
      end)
    end,
  } do
    it("may be called from " .. where, function()
      local server = keep(serving.make "TCPServer")
      local result
      local function shutdown() result = table.pack(pcall(server.shutdown, server)) end
      call(shutdown)
      assert.is_true(server:serve_forever())
      csock.run() -- who waited for it goes on
      assert.same({ true, true, n = 2 }, result)
      result = nil
      call(shutdown)
      assert.is_true(csock.run(server.serve_forever, server))
      assert.same({ true, true, n = 2 }, result)
    end)
  end

  it("leaves a server that can serve again when the task that serves is cancelled", function()
    local server = keep(serving.make "TCPServer")
    csock.run(function()
      local task = csock.spawn(server.serve_forever, server)
      csock.sleep(0)
      task:cancel()
      assert.equal("cancelled", task:status())
    end)
    serving.during(server, function() assert.equal("hi", serving.ask_once(server, "hi")) end)
  end)

  it("may be called from another task, and returns when serve_forever has ended", function()
    local server = keep(serving.make "TCPServer")
    csock.run(function()
      local task = csock.spawn(server.serve_forever, server)
      csock.sleep(0)
      csock.sleep(0)
      assert.is_true(server:shutdown())
      assert.equal("done", task:status())
    end)
  end)

  it("does not wait for a request that is being seen to, so that a handler may wait for who calls it", function()
    local server = keep(serving.make("TCPServer", serving.handler(function(self)
      csock.spawn(self.server.shutdown, self.server):join()
    end)))
    csock.spawn(function() keep(serving.connect(server)) end)
    assert.is_true(server:serve_forever())
  end)

  it("is immediate: nothing is waited for", function()
    local Server = class("Server", socketserver.TCPServer)
    function Server.service_actions() end
    local server = keep(serving.make(Server))
    csock.spawn(function()
      csock.sleep(0)
      server:shutdown()
    end)
    local began = csock.now()
    assert.is_true(server:serve_forever(100))
    assert.is_true(csock.now() - began < 5)
  end)

  it("is idempotent", function()
    local server = keep(serving.make "TCPServer")
    for _ = 1, 2 do
      csock.run(function()
        local task = csock.spawn(server.serve_forever, server)
        assert.equal("hi", serving.ask_once(server, "hi"))
        csock.spawn(server.shutdown, server)
        assert.is_true(server:shutdown())
        assert.is_true(task:join())
      end)
    end
  end)

  it("counts for the next serve_forever when nobody serves, once", function()
    local server = keep(serving.make "TCPServer")
    for _ = 1, 2 do
      csock.run(function()
        local task = csock.spawn(server.serve_forever, server)
        server:shutdown()
        assert.is_true(server:shutdown())
        assert.is_true(task:join())
      end)
    end
    serving.during(server, function()
      assert.equal("hi", serving.ask_once(server, "hi"))
    end)
  end)
end)

describe("handle_request", function()
  for _, kind in ipairs { "TCPServer", "ThreadingTCPServer" } do
    it("sees to one request, in a task and outside, with a " .. kind, function()
      local server = keep(serving.make(kind))
      local function one()
        local client
        csock.spawn(function()
          client = keep(serving.connect(server))
          client:sendall "hi\n"
          client:shutdown(csock.SHUT_WR)
        end)
        assert.is_true(server:handle_request())
        csock.sleep(0)
        assert.equal("hi\n", client:recv(10))
      end
      csock.run(one)
      csock.spawn(function()
        local client = keep(serving.connect(server))
        client:sendall "hi\n"
        client:shutdown(csock.SHUT_WR)
        assert.equal("hi\n", client:recv(10))
      end)
      assert.is_true(server:handle_request())
      server:server_close()
      csock.run()
    end)
  end

  it("calls handle_timeout after the shorter one of the two timeouts", function()
    local Server = class("Server", socketserver.TCPServer)
    function Server.handle_timeout() return "late" end
    for _, timeouts in ipairs { { 0.01, nil }, { nil, 0.01 }, { 0.01, 100 }, { 100, 0.01 }, { 0, nil }, { nil, 0 } } do
      local server = keep(serving.make(Server))
      server.timeout = timeouts[1]
      server.socket:settimeout(timeouts[2])
      assert.equal("late", server:handle_request())
      keep(serving.connect(server)):close()
      if timeouts[1] ~= 0.01 or timeouts[2] == 100 then assert.is_true(server:handle_request()) end
    end
  end)

  it("says so when the server is closed", function()
    local server = serving.make "TCPServer"
    server:server_close()
    local ok, err = server:handle_request()
    assert.is_nil(ok)
    assert.equal("EBADF", err.name)
  end)
end)

describe("a handler that fails", function()
  for _, kind in ipairs { "TCPServer", "ThreadingTCPServer" } do
    it("on every request: each is reported with a traceback and closed, and a " .. kind .. " goes on", function()
      local server = keep(serving.make(kind, serving.handler(fail)))
      local addresses = {}
      local text = serving.captured(function()
        serving.during(server, function()
          for i = 1, 20 do
            local client <close> = serving.connect(server)
            addresses[i] = tostring(client:getsockname())
            assert.equal("", client:recv(1))
          end
        end)
      end)
      for _, address in ipairs(addresses) do
        assert.matches("Exception occurred during processing of request from " .. address, text, 1, true)
      end
      assert.matches("on purpose\nstack traceback:\n", text, 1, true)
      assert.matches("in method 'handle'", text, 1, true)
    end)
  end

  it("with an error value is reported with its text", function()
    local server = keep(serving.make("TCPServer", serving.handler(function()
      assert(csock.if_nametoindex "no such")
    end)))
    local text = serving.captured(function()
      serving.during(server, function() assert.equal("", keep(serving.connect(server)):recv(1)) end)
    end)
    assert.matches("if_nametoindex 'no such': No such device [ENODEV]", text, 1, true)
  end)
end)

describe("making a server", function()
  it("raises for options that are none, and for an address that is none, where it was called", function()
    for words, wrong in pairs {
      ["bad argument #3 to 'TCPServer' %(unknown option 'sockte'%)"] = function()
        socketserver.TCPServer({ "127.0.0.1", 0 }, serving.Echo, { sockte = 7 })
      end,
      ["bad argument #3 to 'ForkingUDPServer' %(table expected, got 7%)"] = function()
        socketserver.ForkingUDPServer({ "127.0.0.1", 0 }, serving.Echo, 7)
      end,
      ["bad argument #1 to 'bind'"] = function() socketserver.TCPServer({ "127.0.0.1", {} }, serving.Echo) end,
    } do
      local ok, err = pcall(wrong)
      assert.is_false(ok)
      assert.matches("^spec/csock/socketserver/servers_spec.lua:%d+: " .. words, err)
    end
  end)

  it("gives the address that it got", function()
    local server = keep(serving.make "TCPServer")
    assert.is_true(server.server_address.port > 0)
    assert.equal(server.socket:getsockname(), server.server_address)
    assert.equal(server.socket:fileno(), server:fileno())
    assert.equal(("<TCPServer %s>"):format(server.server_address), tostring(server))
  end)

  it("fails when the port is taken, and closes everything", function()
    local first = keep(serving.make "TCPServer")
    local Server = class("Server", socketserver.TCPServer)
    local closed
    function Server:server_close()
      Server.super.server_close(self)
      closed = self.socket:fileno()
    end
    local server, err, errno = Server(first.server_address, serving.Echo)
    assert.is_nil(server)
    assert.equal("EADDRINUSE", err.name)
    assert.equal(csock.errno.EADDRINUSE, errno)
    assert.equal(-1, closed)
  end)

  it("closes everything when a hook raises", function()
    local Server = class("Server", socketserver.TCPServer)
    local socket
    function Server:server_activate()
      socket = self.socket
      error "on purpose"
    end
    assert.error_matches(function() serving.make(Server) end, "on purpose")
    assert.equal(-1, socket:fileno())
  end)

  it("can leave binding to the caller", function()
    for _, options in ipairs { false, { bind_and_activate = false } } do
      local server = keep(serving.make("TCPServer", nil, options))
      assert.equal(0, server.socket:getsockname().port)
      server.allow_reuse_address = true
      assert.is_true(server:server_bind())
      assert.is_true(server:server_activate())
      assert.is_true(server.socket:getsockopt(csock.SOL_SOCKET, csock.SO_REUSEADDR) ~= 0)
      serving.during(server, function()
        assert.equal("hi", serving.ask_once(server, "hi"))
      end)
    end
  end)

  it("lets several have a port with allow_reuse_port", function()
    local Server = class("Server", socketserver.TCPServer)
    Server.allow_reuse_port = true
    local first = keep(serving.make(Server))
    keep(assert(Server(first.server_address, serving.Echo)))
  end)

  it("takes a socket that listens already, as an object and as a descriptor", function()
    local listener = assert(csock.create_server { "127.0.0.1", 0 })
    local address, copy = listener:getsockname(), assert(csock.dup(listener:fileno()))
    for _, socket in ipairs { listener, copy } do
      local server = keep(assert(socketserver.TCPServer(nil, serving.Echo, { socket = socket })))
      assert.equal(address, server.server_address)
      serving.during(server, function()
        assert.equal("hi", serving.ask_once(server, "hi"))
      end)
    end
    local server, err = socketserver.TCPServer(nil, serving.Echo, { socket = 9999 })
    assert.is_nil(server)
    assert.equal("EBADF", err.name)
  end)

  it("takes no socket of another kind, and leaves it open", function()
    local stream = keep(assert(csock.create_server { "127.0.0.1", 0 }))
    local datagram = keep(assert(csock.socket(csock.AF_INET, csock.SOCK_DGRAM)))
    for kind, socket in pairs { TCPServer = datagram, UDPServer = stream } do
      for _, given in ipairs { socket, socket:fileno() } do
        local server, err, errno = socketserver[kind](nil, serving.Echo, { socket = given })
        assert.is_nil(server)
        assert.equal(kind .. ": Protocol wrong type for socket [EPROTOTYPE]", tostring(err))
        assert.equal(csock.errno.EPROTOTYPE, errno)
        collectgarbage()
        assert.is_truthy(socket:getsockname())
      end
    end
  end)

  it("closes at the end of a <close> variable's block, once more without harm", function()
    local socket
    do
      local server <close> = serving.make "TCPServer"
      socket = server.socket
      server:server_close()
    end
    assert.equal(-1, socket:fileno())
  end)

  it("serves IPv6 with another address_family", function()
    local Server = class("Server", socketserver.TCPServer)
    Server.address_family = csock.AF_INET6
    local server = Server({ "::1", 0 }, serving.Echo)
    if not server then return pending "no ::1" end
    keep(server)
    serving.during(server, function()
      assert.equal("hi", serving.ask_once(server, "hi"))
    end)
  end)
end)

describe("a server of one's own on BaseServer", function()
  it("needs a fileno and a get_request", function()
    local a, b = csock.socketpair()
    keep(a, b)
    local Server = class("Server", socketserver.BaseServer)
    function Server.fileno() return a:fileno() end
    function Server.get_request() return a:recv(100), "the other end" end
    local seen = {}
    local server = Server("nowhere", function(request, address, server)
      seen[#seen + 1] = { request, address }
      if request == "stop" then server:shutdown() end
    end)
    csock.spawn(function()
      b:sendall "go"
      csock.sleep(0.01)
      b:sendall "stop"
    end)
    assert.is_true(server:serve_forever())
    assert.same({ { "go", "the other end" }, { "stop", "the other end" } }, seen)
    assert.equal("<Server nowhere>", tostring(server))
  end)
end)
