-- Wrappers between real connections and protocols: plain, over TLS, several around each other.
local class = require "csock.class"
local contexts = require "spec.support.contexts"
local csock = require "csock"
local internal = require "csock.loop.internal"
local keep = require "spec.support.keep"
local policies = require "csock.policies"
local process = require "spec.support.process"
local protocol = require "csock.protocol"
local reactor = require "csock.reactor"
local reactors = require "spec.support.reactors"

local run, expect, read = reactors.run, reactors.expect, reactors.read
local LIMIT = 10 * process.slowness

local events

before_each(function() events = csock.loop.queue() end)
after_each(function()
  keep.close()
  assert.same({}, reactor.getDelayedCalls())
  assert.same({}, internal.hub.objects())
end)

-- A recorder's class with more methods.
local function recorder(methods, base)
  local Recorder = reactors.recorder(events, base)
  for name, method in pairs(methods or {}) do Recorder[name] = method end
  return Recorder
end

-- Some wrappers around the factory of a class of protocols, each counting for itself.
local function wrapped(class_of_protocols)
  local factory = protocol.ServerFactory:forProtocol(class_of_protocols)
  return policies.WrappingFactory(policies.TimeoutFactory(policies.ThrottlingFactory(factory), 1000))
end

local function listen(factory) return assert(reactor.listenTCP(0, factory, nil, "127.0.0.1")) end

local function dial(port)
  local s = keep(reactors.dial(port))
  s:settimeout(LIMIT)
  return s
end

describe("a wrapped protocol", function()
  it("receives, sends, and ends", function()
    local factory = wrapped(recorder { dataReceived = function(self, data) self.transport:write(data:upper()) end })
    local port = listen(factory)
    run(function()
      local s = dial(port)
      local made = expect(events, "made")
      assert.equal(s:getsockname(), made.transport:getPeer())
      assert.equal(s:getpeername(), made.transport:getHost())
      assert.is_truthy(next(factory.protocols))
      assert(s:sendall "hello")
      assert.equal("HELLO", read(s, 5))
      s:close()
      local _, why = expect(events, "lost")
      assert.is_truthy(why:check "ConnectionDone")
      assert.is_nil(next(factory.protocols))
      assert.is_false(made.transport.connected)
      made.transport:write "nobody hears this"
      made.transport:loseConnection()
    end)
  end)

  it("has the methods and fields of the transport, and sets those that may be set", function()
    local port = listen(wrapped(recorder { connectionMade = function(self)
      self.transport.bufferSize, self.transport.abortTimeout = 1234, 5
      events:put { "made", self }
    end }))
    run(function()
      local s = dial(port)
      local transport = expect(events, "made").transport
      local real = transport
      while class.isinstance(real, policies.ProtocolWrapper) do real = real.transport end
      assert.equal(1234, real.bufferSize)
      assert.equal(1234, transport.bufferSize)
      assert.equal(5, real.abortTimeout)
      assert.equal(real.socket, transport:getHandle())
      assert.is_true(transport:setTcpNoDelay(true))
      assert.is_true(real:getTcpNoDelay())
      assert.is_nil(transport.negotiatedProtocol)
      assert.is_nil(transport.no_such_method)
      assert.has_error(function() transport:write(nil) end)
      transport:abortConnection()
      assert.is_true(transport.disconnecting)
      assert.is_truthy((select(2, expect(events, "lost")):check "ConnectionAborted"))
      assert.is_nil(s:recv(1))
    end)
  end)

  it("is told of halves if it has methods for that, and else not", function()
    local port = listen(wrapped(recorder {
      readConnectionLost = function(self)
        events:put { "read lost", self }
        self.transport:write "more"
        self.transport:loseWriteConnection()
      end,
      writeConnectionLost = function(self) events:put { "write lost", self } end,
    }))
    local plain = listen(wrapped(recorder()))
    run(function()
      local s = dial(port)
      assert(s:shutdown(csock.SHUT_WR))
      for _, name in ipairs { "made", "read lost", "write lost", "lost" } do expect(events, name) end
      assert.equal("more", reactors.read_all(s))
      s = dial(plain)
      assert(s:shutdown(csock.SHUT_WR))
      expect(events, "made")
      expect(events, "lost")
      assert.equal("", reactors.read_all(s))
    end)
  end)

  it("is told to answer nothing while its peer reads nothing", function()
    local held = 0
    local port = listen(wrapped(recorder {
      connectionMade = function(self)
        self.transport.bufferSize = 1000
        self.transport:write(("x"):rep(20000000))
      end,
      pauseWriting = function() held = held + 1 end,
      resumeWriting = function(self)
        held = held - 1
        events:put { "resumed", self }
      end,
    }))
    run(function()
      local s = dial(port)
      repeat csock.sleep(0.001) until held == 1
      read(s, 20000000)
      expect(events, "resumed")
      assert.equal(0, held)
    end)
  end)

  it("passes on no line behind the one after which the connection was closed, by whomever", function()
    for _, method in ipairs { "loseConnection", "abortConnection" } do
      for _, whose in ipairs { "its own", "the real" } do
        local Lines = recorder({
          lineReceived = function(self, line)
            events:put { "line", self, line }
            local transport = self.transport
            while whose == "the real" and class.isinstance(transport, policies.ProtocolWrapper) do
              transport = transport.transport
            end
            transport[method](transport)
          end,
        }, protocol.LineReceiver)
        Lines.dataReceived = nil
        local port = listen(wrapped(Lines))
        run(function()
          local s = dial(port)
          expect(events, "made")
          assert(s:sendall "one\r\ntwo\r\n")
          assert.equal("one", (select(2, expect(events, "line"))))
          expect(events, "lost")
        end)
      end
    end
  end)

  it("takes its connection with it when it raises an error, and is counted out", function()
    local factory = policies.ThrottlingFactory(protocol.ServerFactory:forProtocol(recorder {
      dataReceived = function() error "oops" end,
    }))
    local port = listen(factory)
    local texts = reactors.errors(function()
      run(function()
        local s = dial(port)
        expect(events, "made")
        assert.equal(1, factory.connectionCount)
        assert(s:sendall "hello")
        assert.is_truthy((select(2, expect(events, "lost")):check "CallbackError"))
        assert.equal(0, factory.connectionCount)
      end)
    end)
    assert.equal(1, #texts)
  end)

  it("is not there where its factory makes none: the connection is closed, and nothing counted", function()
    local refusing = protocol.ServerFactory()
    function refusing.buildProtocol() return nil end
    local factories = {
      policies.WrappingFactory(refusing), policies.ThrottlingFactory(refusing), policies.TimeoutFactory(refusing),
      policies.LimitConnectionsByPeer(refusing), policies.SpewingFactory(refusing),
    }
    for _, factory in ipairs(factories) do
      local port = listen(factory)
      run(function() assert.equal("", reactors.read_all(dial(port))) end)
    end
    assert.equal(0, factories[2].connectionCount)
    assert.same({}, factories[4].peerConnections)
  end)

  it("is a client's, too, whose connector works as without", function()
    local port = listen(wrapped(recorder { dataReceived = function(self, data) self.transport:write(data) end }))
    local told = csock.loop.queue()
    local Client = class("Client", protocol.Protocol)
    function Client:connectionMade() self.transport:write "ping" end
    function Client:dataReceived(data)
      told:put { "answer", self, data }
      self.transport:loseConnection()
    end
    local factory = protocol.ClientFactory:forProtocol(Client)
    function factory.clientConnectionLost(_, connector, why) told:put { "over", connector, why } end
    function factory.clientConnectionFailed(_, connector, why) told:put { "failed", connector, why } end
    run(function()
      local outer = policies.TimeoutFactory(factory, 1000)
      local connector = reactor.connectTCP("127.0.0.1", port:getHost().port, outer)
      assert.equal("ping", (select(2, expect(told, "answer"))))
      assert.equal(connector, (expect(told, "over")))
      port:stopListening()
      connector:connect()
      assert.equal(connector, (expect(told, "failed")))
    end)
  end)

  if contexts.missing then
    pending("over TLS: " .. contexts.missing)
    return
  end

  -- A socket over TLS; for a task.
  local function dial_tls(port)
    return keep(csock.create_connection(port:getHost(), {
      ssl = contexts.client(), server_hostname = "localhost", timeout = LIMIT,
    }))
  end

  it("is told of the handshake, and talks over TLS", function()
    local port = assert(reactor.listenSSL(0, wrapped(recorder {
      handshakeCompleted = function(self) events:put { "secured", self } end,
      dataReceived = function(self, data) self.transport:write(data:upper()) end,
    }), contexts.server(), nil, "127.0.0.1"))
    run(function()
      local s = dial_tls(port)
      local made = expect(events, "made")
      assert.equal(made, (expect(events, "secured")))
      assert.is_true(made.transport.TLS)
      assert.is_nil(made.transport:getPeerCertificate())
      assert(s:sendall "hello")
      assert.equal("HELLO", read(s, 5))
      made.transport:loseConnection()
      assert.equal("", reactors.read_all(s))
      expect(events, "lost")
    end)
  end)

  it("starts TLS, and not while it holds bytes that came in the clear", function()
    local Lines = recorder({
      lineReceived = function(self)
        events:put { "started", self, (self.transport:startTLS(contexts.server())) }
      end,
      handshakeCompleted = function(self) self:sendLine "secret" end,
    }, protocol.LineReceiver)
    Lines.dataReceived = nil
    local port = listen(wrapped(Lines))
    run(function()
      for _, text in ipairs { "STARTTLS\r\n", "STARTTLS\r\ninjected\r\n" } do
        local s = dial(port)
        expect(events, "made")
        assert(s:sendall(text))
        local _, ok = expect(events, "started")
        if text:find "injected" then
          assert.is_nil(ok)
        else
          assert.is_true(ok)
          local secure = keep(contexts.client():wrap_socket(s, { server_hostname = "localhost" }))
          assert.equal("secret\r\n", read(secure, 8))
          secure:close()
        end
        expect(events, "lost")
      end
    end)
  end)

  it("tells its factory of handshakes that fail", function()
    local inner = protocol.ServerFactory:forProtocol(recorder())
    function inner.handshakeFailed(_, address, why) events:put { "failed", address, why } end
    local port = assert(reactor.listenSSL(0, policies.WrappingFactory(inner), contexts.server(), nil, "127.0.0.1"))
    run(function()
      local s = dial(port)
      assert(s:sendall "GET / HTTP/1.0\r\n\r\n")
      assert.is_truthy((select(2, expect(events, "failed")):check "SSLError"))
    end)
  end)
end)

describe("WrappingFactory", function()
  it("wants a factory", function()
    for _, value in ipairs { 5, "factory", {}, protocol.Factory } do
      assert.has_error(function() policies.WrappingFactory(value) end)
    end
  end)

  it("needs neither the reactor nor deferreds", function()
    local status, out, err = process.run({ process.interpreter, "-e", [[
      require "csock.policies"
      for _, name in ipairs { "csock.reactor", "csock.defer", "csock.task" } do
        assert(not package.loaded[name], name)
      end
    ]] }, { timeout = 20 })
    assert.equal("", out .. err)
    assert.equal(0, status)
  end)
end)
