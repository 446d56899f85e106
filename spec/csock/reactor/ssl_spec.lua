-- The reactor over TLS: ports, connectors, the order of calls, the end. The other side is a task, or Python's ssl.
local certificates = require "spec.support.certificates"
local class = require "csock.class"
local contexts = require "spec.support.contexts"
local csock = require "csock"
local internal = require "csock.loop.internal"
local keep = require "spec.support.keep"
local peers = require "spec.support.tls_peers"
local posix = require "spec.support.posix"
local process = require "spec.support.process"
local protocol = require "csock.protocol"
local reactor = require "csock.reactor"
local reactors = require "spec.support.reactors"

local hub, loop = internal.hub, csock.loop
local run, expect, read = reactors.run, reactors.expect, reactors.read
local LIMIT = 10 * process.slowness

if contexts.missing then
  pending("the reactor over TLS: " .. contexts.missing)
  return
end

local events

-- A server's factory, whose protocols tell `events`, as it does itself of handshakes that fail.
local function server_factory(methods, base)
  local Server = reactors.recorder(events, base)
  function Server:handshakeCompleted() events:put { "secured", self } end
  for name, method in pairs(methods or {}) do Server[name] = method end
  local factory = protocol.ServerFactory:forProtocol(Server)
  function factory.handshakeFailed(_, address, reason) events:put { "failed", address, reason } end
  return factory
end

local function listen(methods, context, base)
  return (assert(reactor.listenSSL(0, server_factory(methods, base), context or contexts.server(), nil, "127.0.0.1")))
end

local function connect_options(options)
  local all = { ssl = contexts.client(), server_hostname = "localhost", timeout = LIMIT }
  for name, value in pairs(options or {}) do all[name] = value end
  return all
end

-- A socket over TLS that is connected to the port; for a task.
local function dial(port, options)
  return keep(csock.create_connection(port:getHost(), connect_options(options)))
end

local function plain(port)
  local s = keep(reactors.dial(port))
  s:settimeout(LIMIT)
  return s
end

-- A client's factory that tells `told` the names of what is called, in order.
local function client_factory(told, methods)
  local Client = class("Client", protocol.Protocol)
  for _, name in ipairs { "connectionMade", "handshakeCompleted", "dataReceived", "connectionLost" } do
    Client[name] = function(self, what) told:put { name, self, what } end
  end
  for name, method in pairs(methods or {}) do Client[name] = method end
  local factory = protocol.ClientFactory:forProtocol(Client)
  for _, name in ipairs { "startedConnecting", "clientConnectionFailed", "clientConnectionLost" } do
    factory[name] = function(_, connector, what) told:put { name, connector, what } end
  end
  return factory
end

local peer
setup(function() peer = peers.python() end)
teardown(function() if peer then peer:kill() end end)
before_each(function() events = loop.queue() end)
after_each(function()
  keep.close()
  assert.is_false(reactor.running)
  assert.same({}, reactor.getDelayedCalls())
  assert.same({}, hub.objects())
end)

local with_python = peers.has.python and it or pending

describe("listenSSL", function()
  it("makes the protocol when the handshake is made, and says so", function()
    local port = listen {}
    run(function()
      local s = dial(port)
      local made = expect(events, "made")
      assert.equal(made, (expect(events, "secured")))
      assert.is_true(made.transport.TLS)
      assert.equal(s:getsockname(), made.transport:getPeer())
      assert.equal(s:version(), made.transport:getHandle():version())
      assert(s:sendall "hello")
      assert.equal("hello", (select(2, expect(events, "data"))))
      made.transport:write "and you"
      assert.equal("and you", read(s, 7))
      assert(s:unwrap())
      assert.equal("ConnectionDone", (select(2, expect(events, "lost")):check "ConnectionDone"))
    end)
  end)

  it("passes on what came with the end of the handshake after both", function()
    local port = listen {}
    run(function()
      local s = plain(port)
      s:settimeout(0)
      contexts.client():wrap_socket(s, { server_hostname = "localhost" })
      s:settimeout(LIMIT)
      assert(s:sendall "at once") -- makes the handshake, and sends this in the same turn
      expect(events, "made")
      expect(events, "secured")
      expect(events, "data")
    end)
  end)

  with_python("serves Python's ssl in each version, with ALPN and without", function()
    local context = contexts.server()
    context:set_alpn_protocols { "b", "c" }
    local port = listen({ dataReceived = function(self, data) self.transport:write(data:upper()) end }, context)
    for _, version in ipairs { "1.2", "1.3" } do
      for _, alpn in ipairs { "a,b", false } do
        local client
        run(function()
          client = peer:connect { role = "ask", port = port:getHost().port, ca = certificates.ca.cert,
            version = version, alpn = alpn or nil }
          local made = expect(events, "made")
          assert.equal(alpn and "b" or nil, made.transport.negotiatedProtocol)
          expect(events, "secured")
          expect(events, "lost")
        end)
        assert.matches(("^TLSv%s alpn=%s .*answer=HELLO$"):format(version, alpn and "b" or "None"), client:result())
        port = listen({ dataReceived = function(self, data) self.transport:write(data:upper()) end }, context)
      end
    end
    port:stopListening()
  end)

  it("serves openssl's s_client, which asks for new keys", function()
    local port = listen({ lineReceived = function(self, line)
      events:put { "line", self, line }
      self:sendLine(line:upper())
    end, delimiter = "\n" }, nil, protocol.LineReceiver)
    -- A recorder's dataReceived would hide the receiver's.
    port.factory.protocol.dataReceived = nil
    run(function()
      local client = keep(peers.s_client(port:getHost().port, { "-quiet" }))
      expect(events, "made")
      expect(events, "secured")
      for _, command in ipairs { "", "K\n", "k\n" } do
        client:write(command .. "hello\n")
        repeat local _, line = expect(events, "line") until line:find "hello"
      end
      client:kill()
    end)
  end)

  it("tells the factory alone of handshakes that fail, with the reason", function()
    local port = listen {}
    run(function()
      local s = plain(port)
      assert(s:sendall "GET / HTTP/1.0\r\n\r\n")
      local address, reason = expect(events, "failed")
      assert.equal(s:getsockname(), address)
      assert.equal("SSLError", reason:check "SSLError")
      assert.equal("HTTP_REQUEST", reason.value.name)
      assert.matches("^TLS handshake failed: do_handshake: .*plain HTTP", tostring(reason))

      plain(port):close()
      assert.equal("UNEXPECTED_EOF_WHILE_READING", (select(2, expect(events, "failed"))).value.name)

      assert.is_nil((csock.create_connection(port:getHost(), connect_options { ssl = contexts.client "unknown_ca" })))
      assert.equal("TLSV1_ALERT_UNKNOWN_CA", (select(2, expect(events, "failed"))).value.name)
    end)
  end)

  it("closes a client that has not made the handshake in time", function()
    local port = listen {}
    port.handshakeTimeout = 0.05
    run(function()
      local silent, halfway = plain(port), plain(port)
      assert(halfway:sendall "\22\3\1\2\0\1\0\1\252\3\3")
      for _ = 1, 2 do
        local _, reason = expect(events, "failed")
        assert.equal("TimeoutError", reason:check "TimeoutError")
        assert.matches("within 0.05 seconds", tostring(reason))
      end
      for _, s in ipairs { silent, halfway } do
        local data, _, errno = s:recv(100)
        assert.is_true(data == "" or errno == csock.errno.ECONNRESET)
      end
    end)
  end)

  it("asks an object for the context of each connection", function()
    local asked, current = 0, contexts.server()
    local port = listen({}, { getContext = function() asked = asked + 1 return current end })
    run(function()
      assert.equal("localhost", dial(port):getpeercert().subject[1][1][2])
      current = contexts.server "other"
      assert.equal("other", dial(port, { server_hostname = "other.example.test" }):getpeercert().subject[1][1][2])
      assert.equal(2, asked)
    end)
  end)

  it("has a function choose the certificate, and a failing one end its connection alone", function()
    local context, other = contexts.server(), contexts.server "other"
    context.sni_callback = function(_, name)
      if name == "localhost" then error "no such place" end
      return other
    end
    local port = listen({}, context)
    local errors = reactors.errors(function()
      run(function()
        assert.is_nil((csock.create_connection(port:getHost(), connect_options())))
        dial(port, { server_hostname = "other.example.test" })
        expect(events, "made")
      end)
    end)
    assert.equal(1, #errors)
    assert.matches("no such place", errors[1])
  end)

  it("shows the certificate of a client", function()
    local context, client = contexts.server(), contexts.client()
    context.verify_mode = contexts.ssl.CERT_REQUIRED
    assert(context:load_verify_locations { cafile = certificates.ca.cert })
    assert(client:load_cert_chain(certificates.client.cert, certificates.client.key))
    local port = listen({}, context)
    run(function()
      local s = dial(port, { ssl = client })
      local transport = expect(events, "made").transport
      assert.equal("a client", transport:getPeerCertificate().subject[1][1][2])
      assert.equal("string", type(transport:getPeerCertificate(true)))
      s:close()
      expect(events, "secured")
      expect(events, "lost")
      assert.is_nil(transport:getPeerCertificate())
    end)
  end)

  it("goes on with handshakes when it stops listening, and ends them when the reactor stops", function()
    local port = listen {}
    local left
    run(function()
      local s = plain(port)
      left = plain(port)
      csock.sleep(0)
      assert(dial(port)) -- both were accepted before this
      expect(events, "made")
      expect(events, "secured")
      port:stopListening()
      assert(contexts.client():wrap_socket(s, { server_hostname = "localhost" }))
      expect(events, "made")
    end)
    left:settimeout(LIMIT)
    assert.equal("", left:recv(10))
  end)

  it("wants a server's context", function()
    local factory = server_factory()
    for _, context in ipairs { contexts.client(), true, {}, "cert.pem" } do
      assert.error_matches(function() reactor.listenSSL(0, factory, context) end,
        "bad argument #3 to 'listenSSL' %(a server's SSLContext expected")
    end
    assert.error_matches(function() reactor.listenSSL(0, {}, contexts.server()) end, "#2 to 'listenSSL'")
    assert.error_matches(function() reactor.connectSSL("localhost", 1, client_factory(events), contexts.server()) end,
      "bad argument #4 to 'connectSSL' %(true or a client's SSLContext expected")
  end)
end)

describe("connectSSL", function()
  local told

  before_each(function() told = loop.queue() end)

  it("calls what connectTCP calls, in this order, and the protocol when the handshake is made", function()
    local port = listen { connectionMade = function(self)
      self.transport:write "hello"
      self.transport:loseConnection()
    end }
    local connector
    run(function()
      connector = reactor.connectSSL("localhost", port:getHost().port, client_factory(told), contexts.client())
      assert.equal(connector, expect(told, "startedConnecting"))
      local made = expect(told, "connectionMade")
      assert.equal("connected", connector.state)
      assert.equal("localhost", made.transport:getPeerCertificate().subject[1][1][2])
      assert.equal(made, (expect(told, "handshakeCompleted")))
      assert.equal("hello", (select(2, expect(told, "dataReceived"))))
      assert.equal("ConnectionDone", (select(2, expect(told, "connectionLost")):check "ConnectionDone"))
      local lost, reason = expect(told, "clientConnectionLost")
      assert.equal(connector, lost)
      assert.is_truthy(reason:check "ConnectionDone")
    end)
    assert.equal("disconnected", connector.state)
  end)

  it("fails, and builds no protocol, where a certificate is refused", function()
    for _, case in ipairs {
      { certificate = "unknown", words = "unable to get local issuer certificate" },
      { certificate = "expired", words = "certificate has expired" },
      { certificate = "wrong_host", words = "elsewhere.test.*not for 'localhost'" },
    } do
      local port = listen({}, contexts.server(case.certificate))
      run(function()
        reactor.connectSSL("localhost", port:getHost().port, client_factory(told), contexts.client())
        expect(told, "startedConnecting")
        local connector, reason = expect(told, "clientConnectionFailed")
        assert.equal("disconnected", connector.state)
        assert.equal("SSLError", reason:check "SSLError")
        assert.equal("ConnectError", reason:check "ConnectError")
        assert.equal("ssl", reason.value.kind)
        assert.equal("CERTIFICATE_VERIFY_FAILED", reason.value.name)
        assert.matches(case.words, tostring(reason))
        expect(events, "failed")
      end)
    end
  end)

  it("verifies the name that the object with the context has", function()
    local port = listen({}, contexts.server "other")
    run(function()
      reactor.connectSSL("127.0.0.1", port:getHost().port, client_factory(told),
        { getContext = function() return contexts.client() end, server_hostname = "other.example.test" })
      expect(told, "startedConnecting")
      expect(told, "connectionMade")
    end)
  end)

  it("gives up when the handshake is not made in time", function()
    local listener = keep(csock.create_server { "127.0.0.1", 0 })
    run(function()
      reactor.connectSSL("127.0.0.1", listener:getsockname().port, client_factory(told), contexts.client(), 0.05)
      expect(told, "startedConnecting")
      assert.is_truthy((select(2, expect(told, "clientConnectionFailed")):check "TimeoutError"))
    end)
  end)

  it("can be stopped in the middle of the handshake", function()
    local listener = keep(csock.create_server { "127.0.0.1", 0 })
    run(function()
      local connector = reactor.connectSSL("127.0.0.1", listener:getsockname().port, client_factory(told),
        contexts.client())
      expect(told, "startedConnecting")
      local s = keep((assert(listener:accept())))
      assert.is_true(#assert(s:recv(5)) > 0)
      connector:stopConnecting()
      assert.is_truthy((select(2, expect(told, "clientConnectionFailed")):check "UserError"))
      s:settimeout(LIMIT)
      repeat local data = s:recv(1000) until not data or data == ""
    end)
  end)

  it("is tried again by a ReconnectingClientFactory", function()
    local served = { contexts.server "unknown", contexts.server "expired", contexts.server() }
    local port = listen({}, { getContext = function() return table.remove(served, 1) end })
    local failures = 0
    local factory = protocol.ReconnectingClientFactory:forProtocol(reactors.recorder(told))
    factory.initialDelay, factory.factor, factory.jitter = 0.001, 1, 0
    function factory:clientConnectionFailed(connector, reason)
      assert(reason:check "SSLError")
      failures = failures + 1
      protocol.ReconnectingClientFactory.clientConnectionFailed(self, connector, reason)
    end
    run(function()
      reactor.connectSSL("localhost", port:getHost().port, factory, contexts.client())
      expect(told, "made")
      factory:stopTrying()
    end)
    assert.equal(2, failures)
  end)

  with_python("is told of a client's certificate that the server refuses, in either version", function()
    for _, version in ipairs { "1.2", "1.3" } do
      local server = peer:listen { role = "echo", cert = certificates.good, client_ca = certificates.ca.cert,
        version = version }
      run(function()
        reactor.connectSSL("localhost", server.port, client_factory(told), contexts.client())
        local event
        repeat event = told:get(LIMIT) until event[1]:find "^clientConnection"
        assert.equal(version == "1.2" and "clientConnectionFailed" or "clientConnectionLost", event[1])
        assert.equal("ssl", event[3].value.kind)
        assert.is_truthy(event[3].value.alert)
      end)
      told = loop.queue()
    end
  end)
end)

describe("bytes over TLS", function()
  local SIZE = 3000000

  with_python("arrive, all of them and in order, with the end behind them", function()
    for _, role in ipairs { "source", "records" } do
      local server = peer:listen { role = role, cert = certificates.good, size = SIZE }
      local told, parts = loop.queue(), {}
      run(function()
        reactor.connectSSL("localhost", server.port, client_factory(told, {
          dataReceived = function(_, data) parts[#parts + 1] = data end,
        }), contexts.client())
        for _, name in ipairs { "startedConnecting", "connectionMade", "handshakeCompleted" } do expect(told, name) end
        assert.is_truthy((select(2, expect(told, "connectionLost")):check "ConnectionDone"))
      end)
      assert.is_true(table.concat(parts) == peers.pattern(SIZE))
      assert.equal("closed", server:result())
    end
  end)

  with_python("are sent, all of them, before loseConnection says the end", function()
    local port = listen { connectionMade = function(self)
      self.transport:write(peers.pattern(SIZE))
      self.transport:loseConnection()
    end }
    local client
    run(function()
      client = peer:connect { role = "taker", port = port:getHost().port, ca = certificates.ca.cert }
      expect(events, "secured")
      assert.is_truthy((select(2, expect(events, "lost")):check "ConnectionDone"))
    end)
    assert.equal(tostring(SIZE), client:result()) -- "cut" without a close_notify
  end)

  it("go both ways at once, and what comes stops while the peer does not read", function()
    local port = listen { dataReceived = function(self, data) self.transport:write(data) end }
    run(function()
      local s = dial(port)
      local transport = expect(events, "made").transport
      assert(s:setsockopt(csock.SOL_SOCKET, csock.SO_RCVBUF, 65536)) -- or these hold all of it
      assert(transport.socket:setsockopt(csock.SOL_SOCKET, csock.SO_SNDBUF, 65536))
      local data = peers.pattern(SIZE)
      local writer = csock.spawn(function() assert(s:sendall(data)) end)
      repeat csock.sleep(0.001) until hub.unsent(transport.socket) > transport.bufferSize
      assert.is_true(hub.unsent(transport.socket) <= transport.bufferSize + 65536)
      assert.is_true(read(s, SIZE) == data)
      writer:join()
    end)
  end)

  it("go on while keys are changed", function()
    local port = listen { dataReceived = function(self, data) self.transport:write(data) end }
    run(function()
      local s = dial(port)
      for i = 1, 200 do
        assert(s:key_update())
        assert(s:sendall(("%04d"):format(i)))
        assert.equal(("%04d"):format(i), read(s, 4))
      end
    end)
  end)
end)

describe("the end of a connection over TLS", function()
  local told, dir

  before_each(function()
    told = loop.queue()
    dir = assert(posix.mkdtemp())
  end)
  after_each(function() os.execute("rm -rf '" .. dir .. "'") end)

  -- A connection of the reactor's to a Python server with this role.
  local function connected(role, methods, more)
    local options = { role = role, cert = certificates.good }
    for name, value in pairs(more or {}) do options[name] = value end
    local server = peer:listen(options)
    reactor.connectSSL("localhost", server.port, client_factory(told, methods), contexts.client())
    expect(told, "startedConnecting")
    local made = expect(told, "connectionMade")
    expect(told, "handshakeCompleted")
    return made.transport, server
  end

  with_python("tells a close_notify, a cut and a reset apart", function()
    for _, case in ipairs {
      { "lines", function(transport) transport:write "bye\n" end, "ConnectionDone" },
      { "ragged", print, "ConnectionLost", "UNEXPECTED_EOF_WHILE_READING" },
      { "reset", function(transport) transport:write "x" end, "ConnectionLost", "ECONNRESET" },
    } do
      run(function()
        local transport = connected(case[1])
        if case[1] ~= "ragged" then case[2](transport) end
        local event
        repeat event = told:get(LIMIT) until event[1] == "connectionLost"
        assert.equal(case[3], event[3]:check(case[3]))
        if case[4] then assert.equal(case[4], event[3].value.name) end
      end)
      told = loop.queue()
    end
  end)

  with_python("is a cut for the peer unless all was said: abort, an error, the reactor's stop", function()
    for how, result in pairs { abort = "ConnectionResetError", callback = "cut", stop = "cut", lose = "closed" } do
      local server
      local errors = reactors.errors(function()
        run(function()
          local transport
          transport, server = connected("echo", { dataReceived = function(self)
            if how == "callback" then error "oh" end
            if how == "abort" then self.transport:abortConnection() end
            if how == "lose" then self.transport:loseConnection() end
            told:put { "received" }
          end })
          transport:write "x"
          expect(told, how == "callback" and "connectionLost" or "received")
          if how == "abort" or how == "lose" then expect(told, "connectionLost") end
        end)
      end)
      assert.equal(how == "callback" and 1 or 0, #errors)
      assert.equal(result, server:result(), how)
      told = loop.queue()
    end
  end)

  with_python("comes in halves: what is asked is answered after loseWriteConnection", function()
    local server
    run(function()
      local transport
      transport, server = connected("sink", { writeConnectionLost = function(self) told:put { "half", self } end })
      transport:write(peers.pattern(1000000))
      transport:loseWriteConnection()
      expect(told, "half")
      transport:write "nobody hears this"
      assert.equal("1000000 right", (select(2, expect(told, "dataReceived"))))
      assert.is_truthy((select(2, expect(told, "connectionLost")):check "ConnectionDone"))
    end)
    assert.equal("1000000 right", server:result())
  end)

  with_python("comes in halves: one may write on after the peer's", function()
    local server
    run(function()
      local _
      _, server = connected("half", { readConnectionLost = function(self)
        self.transport:write "and after"
        self.transport:loseConnection()
      end })
      expect(told, "dataReceived")
      expect(told, "connectionLost")
    end)
    assert.equal("and after", server:result())
  end)

  -- A connection whose socket takes no more, not even a close_notify: over a Unix socket, whose buffer is full when it
  -- says so. `f` is called with its protocol, the number of bytes that were sent by the side, and the plain other end.
  local function filled(methods, f)
    local context, path = contexts.server(), dir .. "/socket"
    context.num_tickets = 0
    methods.connectionMade = function(self) assert(self.transport:startTLS(context)) end
    assert(reactor.listenUNIX(path, server_factory(methods)))
    local s = keep(csock.socket(csock.AF_UNIX, csock.SOCK_STREAM))
    s:settimeout(LIMIT)
    assert(s:connect(path))
    assert(contexts.client():wrap_socket(s, { server_hostname = "localhost" }))
    local made = expect(events, "secured")
    s = keep(csock.socket { fileno = s:detach() })
    s:settimeout(LIMIT)
    local side <close> = assert(csock.socket { fileno = csock.dup(made.transport.socket:fileno()) })
    side:settimeout(0)
    local size = 0
    for _, piece in ipairs { ("x"):rep(65536), "x" } do
      while true do
        local n = side:send(piece)
        if not n then break end
        size = size + n
      end
    end
    side:close()
    f(made, size, s)
  end

  it("waits with the goodbye of loseWriteConnection until there is room", function()
    run(function()
      filled({ writeConnectionLost = function(self) events:put { "half", self } end }, function(made, size, s)
        made.transport:loseWriteConnection()
        csock.sleep(0.02)
        assert.equal(0, events:qsize())
        made.transport:write "ignored from now on"
        read(s, size)
        assert.equal("\23\3\3", read(s, 5):sub(1, 3)) -- a record, with the alert
        expect(events, "half")
        assert.is_true(made.transport.connected)
      end)
    end)
  end)

  it("waits with that of loseConnection, too, and then closes", function()
    run(function()
      filled({}, function(made, size, s)
        made.transport:loseConnection()
        csock.sleep(0.02)
        assert.is_true(made.transport.connected)
        read(s, size)
        assert.equal("\23\3\3", read(s, 5):sub(1, 3))
        assert.is_truthy((select(2, expect(events, "lost")):check "ConnectionDone"))
        reactors.read_all(s)
      end)
    end)
  end)

  it("is an abort where the peer does not take the goodbye in time", function()
    run(function()
      filled({}, function(made)
        made.transport.abortTimeout = 0.03
        made.transport:loseConnection()
        assert.is_truthy((select(2, expect(events, "lost")):check "ConnectionAborted"))
      end)
    end)
  end)
end)
