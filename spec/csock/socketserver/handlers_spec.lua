local csock = require "csock"
local class = require "csock.class"
local socketserver = require "csock.socketserver"
local keep = require "spec.support.keep"
local posix = require "spec.support.posix"
local serving = require "spec.support.serving"

after_each(keep.close)

-- What a handler class sees of one connection whose client sends these bytes and finishes.
local function serve_one(Handler, bytes)
  local server = keep(serving.make("TCPServer", Handler))
  local reply
  csock.spawn(function()
    local client <close> = serving.connect(server)
    client:sendall(bytes or "")
    client:shutdown(csock.SHUT_WR)
    reply = client:makefile():read "a"
    server:shutdown()
  end)
  server:serve_forever()
  csock.spawn(function() end):join() -- the client has its reply
  return reply
end

describe("a stream request handler", function()
  it("takes no line without an end, of 1 MiB or as its class says", function()
    local tried = {}
    local Handler = serving.handler(function(self)
      local line, err = self.rfile:read()
      tried[#tried + 1] = line and #line or err.name
    end)
    assert.equal(1 << 20, Handler.limit)
    serve_one(Handler, ("x"):rep(1 << 20) .. "\n")
    serve_one(Handler, ("x"):rep((1 << 20) + 1) .. "\n")
    Handler.limit = 3
    serve_one(Handler, "xxxx\n")
    Handler.limit = false
    serve_one(Handler, "xxxx\n")
    assert.same({ 1 << 20, "EMSGSIZE", "EMSGSIZE", 4 }, tried)
  end)
end)

describe("a request handler", function()
  it("knows its request, the client's address and the server", function()
    local seen
    local Handler = serving.handler(function(self) seen = self end, socketserver.BaseRequestHandler)
    local server = keep(serving.make("TCPServer", Handler))
    csock.spawn(function()
      local client <close> = serving.connect(server)
      assert.equal("", client:recv(1))
      assert.equal(client:getsockname(), seen.client_address)
      server:shutdown()
    end)
    server:serve_forever()
    assert.equal(server, seen.server)
    assert.equal(-1, seen.request:fileno())
  end)

  it("is finished also when its task is cancelled", function()
    local began, finished
    local Handler = class("Handler", socketserver.StreamRequestHandler)
    function Handler:handle()
      began = true
      self.rfile:read()
    end
    function Handler:finish()
      finished = true
      Handler.super.finish(self)
    end
    local server = keep(serving.make("TCPServer", Handler))
    csock.run(function()
      local task = csock.spawn(server.serve_forever, server)
      local client <close> = serving.connect(server)
      serving.eventually(function() return began end)
      task:cancel()
      assert.is_true(finished)
      assert.equal("", client:recv(1))
    end)
  end)
end)

describe("StreamRequestHandler", function()
  it("reads with rfile and writes with wfile", function()
    assert.equal("[one][two]", serve_one(serving.handler(function(self)
      for line in self.rfile:lines() do self.wfile:write("[", line, "]") end
    end), "one\r\ntwo\n"))
  end)

  it("sends each write at once, with a wbufsize when it is full or finished", function()
    local Handler = class("Handler", socketserver.StreamRequestHandler)
    Handler.wbufsize = 100
    local seen
    function Handler:handle()
      self.wfile:write "held back"
      seen = #csock.select({ self.server.client }, nil, nil, 0)
    end
    local server = keep(serving.make("TCPServer", Handler))
    server.client = keep(serving.connect(server))
    server:handle_request()
    assert.equal(0, seen)
    assert.equal("held back", server.client:recv(100))
    Handler.wbufsize = nil
    server.client = keep(serving.connect(server))
    server:handle_request()
    assert.equal(1, seen)
  end)

  it("sets its timeout on the connection", function()
    local Handler = class("Handler", socketserver.StreamRequestHandler)
    Handler.timeout = 0.01
    local got
    function Handler:handle() got = { self.rfile:read() } end
    local server = keep(serving.make("TCPServer", Handler))
    keep(serving.connect(server))
    server:handle_request()
    assert.equal("ETIMEDOUT", got[2].name)
  end)

  it("turns Nagle's algorithm off when told so", function()
    local Handler = class("Handler", socketserver.StreamRequestHandler)
    Handler.disable_nagle_algorithm = true
    local on
    function Handler:handle() on = self.connection:getsockopt(csock.IPPROTO_TCP, csock.TCP_NODELAY) end
    serve_one(Handler)
    assert.is_true(on ~= 0)
  end)

  it("does not mind a client that is gone before it has read", function()
    local Handler = class("Handler", socketserver.StreamRequestHandler)
    Handler.wbufsize = 1 << 20
    function Handler:handle()
      self.wfile:write(("x"):rep(1000))
      self.server.client:close()
    end
    local server = keep(serving.make("TCPServer", Handler))
    server.client = serving.connect(server)
    assert(server.client:setsockopt(csock.SOL_SOCKET, csock.SO_LINGER, string.pack("ii", 1, 0)))
    assert.equal("", serving.captured(function() server:handle_request() end))
  end)

  it("leaves no descriptor open, whatever fails", function()
    local function fail() error "on purpose" end
    local scripts = {
      handle = function(Handler) Handler.handle = fail end,
      setup = function(Handler)
        function Handler:setup()
          Handler.super.setup(self)
          fail()
        end
      end,
      finish = function(Handler) Handler.finish = fail end,
    }
    for name, script in pairs(scripts) do
      local Handler = class("Handler", socketserver.StreamRequestHandler)
      script(Handler)
      local server = keep(serving.make("TCPServer", Handler))
      serving.captured(function()
        serving.during(server, function()
          keep(serving.connect(server)):recv(1)
          collectgarbage()
          collectgarbage "stop"
          local before = #posix.fds()
          for _ = 1, 5 do
            local client <close> = serving.connect(server)
            assert.equal("", client:recv(1), name)
          end
          csock.sleep(0)
          assert.equal(before, #posix.fds(), name)
          collectgarbage "restart"
        end)
      end)
    end
  end)
end)

describe("DatagramRequestHandler", function()
  local function client_of(server)
    local client = keep(assert(csock.socket(csock.AF_INET, csock.SOCK_DGRAM)))
    client:settimeout(5)
    assert(client:connect(server.server_address))
    return client
  end

  it("answers a datagram with what is written", function()
    local Handler = serving.handler(function(self)
      self.wfile:write("<", self.rfile:read(), ">", #self.packet)
    end, socketserver.DatagramRequestHandler)
    for _, kind in ipairs { "UDPServer", "ThreadingUDPServer" } do
      local server = keep(serving.make(kind, Handler))
      serving.during(server, function()
        local one, two = client_of(server), client_of(server)
        assert(one:send "one\n")
        assert(two:send "two")
        assert.equal("<one>4", one:recv(100))
        assert.equal("<two>3", two:recv(100))
      end)
    end
  end)

  it("answers with an empty datagram when nothing is written, as in Python", function()
    local server = keep(serving.make("UDPServer", socketserver.DatagramRequestHandler))
    serving.during(server, function()
      local client = client_of(server)
      assert(client:send "")
      assert.equal("", client:recv(100))
    end)
  end)

  it("receives max_packet_size bytes at most", function()
    local Handler = serving.handler(function(self) self.wfile:write(#self.packet) end,
      socketserver.DatagramRequestHandler)
    local server = keep(serving.make("UDPServer", Handler))
    serving.during(server, function()
      local client = client_of(server)
      assert(client:send(("x"):rep(9000)))
      assert.equal("8192", client:recv(100))
      server.max_packet_size = 10
      assert(client:send(("x"):rep(9000))) -- the next one is being waited for already
      client:recv(100)
      assert(client:send(("x"):rep(9000)))
      assert.equal("10", client:recv(100))
    end)
  end)

  it("reports an answer that cannot be sent, and goes on", function()
    local Handler = serving.handler(function(self) self.wfile:write(self.packet:rep(20000)) end,
      socketserver.DatagramRequestHandler)
    local server = keep(serving.make("UDPServer", Handler))
    local text = serving.captured(function()
      serving.during(server, function()
        local client = client_of(server)
        assert(client:send "too long")
        assert(client:send "x")
        assert.equal(20000, #client:recv(65536))
      end)
    end)
    assert.matches("EMSGSIZE", text)
  end)
end)
