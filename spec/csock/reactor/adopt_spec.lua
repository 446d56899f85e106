-- Sockets that are there already: adoptStreamPort, adoptStreamConnection, adoptDatagramPort.
local class = require "csock.class"
local csock = require "csock"
local posix = require "spec.support.posix"
local protocol = require "csock.protocol"
local reactor = require "csock.reactor"
local reactors = require "spec.support.reactors"
local internal = require "csock.loop.internal"
local same = require("spec.support.twisted").specs(it, pending)

local function clean()
  assert.same({}, reactor.getDelayedCalls())
  assert.same({}, internal.hub.objects())
end

local function folder()
  local path = assert(posix.mkdtemp())
  return setmetatable({}, {
    __concat = function(_, name) return path .. name end,
    __close = function() os.execute("rm -rf '" .. path .. "'") end,
  })
end

local function datagram_socket()
  local s = assert(csock.socket(csock.AF_INET, csock.SOCK_DGRAM))
  assert(s:bind("127.0.0.1", 0))
  return s
end

describe("an adopted socket", function()
  after_each(clean)

  same("is used by a copy: the caller's own may be closed", [[
    from twisted.internet import reactor
    import socket
    class Echo(protocol.Protocol):
        def connectionMade(self): say("made", self.factory.numPorts)
        def dataReceived(self, data): self.transport.write(data)
        def connectionLost(self, reason): say("lost", reason.type.__name__)
    class Listening(protocol.Factory):
        protocol, noisy = Echo, False
        def startFactory(self): say("start")
        def stopFactory(self): say("stop")
    listener = socket.create_server(("127.0.0.1", 0))
    listener.setblocking(False)
    factory = Listening()
    port = reactor.adoptStreamPort(listener.fileno(), socket.AF_INET, factory)
    say(port.getHost().port == listener.getsockname()[1], port.fileno() == listener.fileno())
    listener.close()
    s = socket.create_connection(("127.0.0.1", port.getHost().port))
    reactor.iterate(5)
    s.sendall(b"hello")
    for _ in range(3): reactor.iterate(0.02)
    say(s.recv(100).decode())
    s.close()
    for _ in range(3): reactor.iterate(0.02)
    port.stopListening()
    reactor.iterate()
    a, b = socket.socketpair()
    a.setblocking(False)
    transport = reactor.adoptStreamConnection(a.fileno(), socket.AF_UNIX, factory)
    say(transport.fileno() == a.fileno(), factory.numPorts)
    a.close()
    b.sendall(b"world")
    for _ in range(3): reactor.iterate(0.02)
    say(b.recv(100).decode())
    b.close()
    for _ in range(3): reactor.iterate(0.02)
  ]], function(say)
    local Echo = class("Echo", protocol.Protocol)
    function Echo:connectionMade() say("made", self.factory.numPorts) end
    function Echo:dataReceived(data) self.transport:write(data) end
    function Echo:connectionLost(why) say("lost", why.__class.__name) end -- luacheck: ignore 212
    local factory = protocol.Factory:forProtocol(Echo)
    function factory.startFactory() say "start" end
    function factory.stopFactory() say "stop" end
    local function turns() for _ = 1, 3 do reactor.iterate(0.02) end end
    local listener = assert(csock.create_server { "127.0.0.1", 0 })
    local port = assert(reactor.adoptStreamPort(listener:fileno(), csock.AF_INET, factory))
    say(port:getHost().port == listener:getsockname().port, port:fileno() == listener:fileno())
    listener:close()
    local s <close> = assert(csock.create_connection(port:getHost()))
    reactor.iterate(5)
    s:sendall "hello"
    turns()
    say(s:recv(100))
    s:close()
    turns()
    port:stopListening()
    reactor.iterate()
    local a, b = csock.socketpair()
    local transport = assert(reactor.adoptStreamConnection(a:fileno(), csock.AF_UNIX, factory))
    say(transport:fileno() == a:fileno(), factory.numPorts)
    a:close()
    b:sendall "world"
    turns()
    say(b:recv(100))
    b:close()
    turns()
  end)

  same("may be for datagrams", [[
    from twisted.internet import reactor
    import socket
    class Told(protocol.DatagramProtocol):
        noisy = False
        def startProtocol(self): say("start")
        def stopProtocol(self): say("stop")
        def datagramReceived(self, data, address):
            say("received", data.decode())
            self.transport.write(b"answer", address)
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind(("127.0.0.1", 0))
    s.setblocking(False)
    port = reactor.adoptDatagramPort(s.fileno(), socket.AF_INET, Told(), 5)
    s.close()
    peer = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    peer.sendto(b"hello, world", ("127.0.0.1", port.getHost().port))
    reactor.iterate(5)
    say(peer.recv(100).decode())
    port.stopListening()
    reactor.iterate(0.02)
  ]], function(say)
    local Told = class("Told", protocol.DatagramProtocol)
    function Told:startProtocol() say "start" end -- luacheck: ignore 212
    function Told:stopProtocol() say "stop" end -- luacheck: ignore 212
    function Told:datagramReceived(data, address)
      say("received", data)
      self.transport:write("answer", address)
    end
    local s = datagram_socket()
    local port = assert(reactor.adoptDatagramPort(s:fileno(), csock.AF_INET, Told(), 5))
    s:close()
    local peer <close> = assert(csock.socket(csock.AF_INET, csock.SOCK_DGRAM))
    assert(peer:sendto("hello, world", port:getHost()))
    reactor.iterate(5)
    say(peer:recv(100))
    port:stopListening()
    reactor.iterate(0.02)
  end)

  it("is given by its object as well, and refused by the factory where that makes no protocol", function()
    local a, b = csock.socketpair()
    local factory = protocol.Factory()
    function factory.buildProtocol() end
    local transport, err = reactor.adoptStreamConnection(a, csock.AF_UNIX, factory)
    assert.is_nil(transport)
    assert.is_nil(err)
    a:close()
    assert.equal("", b:recv(100))
    b:close()
  end)

  it("of a Unix path takes the path with it", function()
    local dir <close> = folder()
    local path = dir .. "/socket"
    local listener <close> = assert(csock.create_server(path, { family = csock.AF_UNIX }))
    local port = assert(reactor.adoptStreamPort(listener, csock.AF_UNIX, protocol.Factory()))
    listener:close()
    assert.equal(path, port:getHost())
    port:stopListening()
    assert.is_false(csock.is_socket(path))
  end)

  it("must be of the family and type that are meant, and open", function()
    local factory = protocol.Factory()
    local s <close> = datagram_socket()
    local function refused(name, call, ...)
      local object, err, errno = call(...)
      assert.is_nil(object)
      assert.equal(name, err.name)
      assert.equal(csock.errno[name], errno)
    end
    refused("EPROTOTYPE", reactor.adoptStreamPort, s, csock.AF_INET, factory)
    refused("EPROTOTYPE", reactor.adoptStreamConnection, s, csock.AF_INET, factory)
    refused("EAFNOSUPPORT", reactor.adoptDatagramPort, s, csock.AF_INET6, protocol.DatagramProtocol())
    local stream <close> = assert(csock.socket())
    refused("ENOTCONN", reactor.adoptStreamConnection, stream, csock.AF_INET, factory)
    local file <close> = assert(io.open "/dev/null")
    refused("ENOTSOCK", reactor.adoptStreamPort, file, csock.AF_INET, factory)
    s:close()
    refused("EBADF", reactor.adoptStreamPort, s, csock.AF_INET, factory)
    assert.equal(0, factory.numPorts)
    assert.error_matches(function() reactor.adoptStreamPort(1, csock.AF_UNSPEC, factory) end,
      "#2 to 'adoptStreamPort' %(addressFamily: AF_INET, AF_INET6 or AF_UNIX expected, got 0")
    assert.error_matches(function() reactor.adoptDatagramPort(1, csock.AF_UNIX, factory) end,
      "#2 to 'adoptDatagramPort' %(addressFamily: AF_INET or AF_INET6 expected")
    assert.error_matches(function() reactor.adoptStreamPort(1, csock.AF_INET, 1) end, "#3 to 'adoptStreamPort'")
  end)
end)

describe("listenUNIX", function()
  after_each(clean)

  it("makes the path with the mode that it is given", function()
    local dir <close> = folder()
    for _, mode in ipairs { "600", "666", 432 } do
      local path = dir .. "/socket"
      local port = assert(reactor.listenUNIX(path, protocol.Factory(), nil, mode))
      local pipe <close> = assert(io.popen("stat -c %a '" .. path .. "'"))
      assert.equal(math.type(mode) and "660" or mode, pipe:read())
      port:stopListening()
    end
    assert.error_matches(function() reactor.listenUNIX("x", protocol.Factory(), nil, "9") end,
      "#4 to 'listenUNIX' %(mode such as")
  end)
end)

describe("what is no descriptor", function()
  it("is told where the program adopts it", function()
    for _, name in ipairs { "adoptStreamPort", "adoptStreamConnection", "adoptDatagramPort" } do
      local user = name == "adoptDatagramPort" and protocol.DatagramProtocol() or protocol.Factory()
      local _, words = pcall(function() return reactor[name]("x", csock.AF_INET, user), nil end)
      assert.matches("adopt_spec%.lua:%d+: bad argument #1", words)
    end
  end)
end)

describe("a port", function()
  after_each(clean)

  it("is not left open where the factory fails as it starts", function()
    local factory = protocol.Factory()
    function factory.startFactory() error "no" end
    local listener <close> = assert(csock.create_server { "127.0.0.1", 0 })
    local address = listener:getsockname()
    assert.error_matches(function() reactor.adoptStreamPort(listener, csock.AF_INET, factory) end, "no")
    listener:close()
    local _, err = csock.create_connection(address)
    assert.equal("ECONNREFUSED", err.name)
  end)

  it("gives a deferred of its end, which has come", function()
    local said = {}
    local port = reactors.listen(protocol.Protocol)
    assert.equal("ServerFactory", port:logPrefix())
    port:stopListening():addCallback(function() said[#said + 1] = port.connected end)
    port = assert(reactor.listenUDP(0, protocol.DatagramProtocol(), "127.0.0.1"))
    assert.equal("DatagramProtocol (UDP)", port:logPrefix())
    assert.equal(port:fileno(), port:getHandle():fileno())
    port:loseConnection():addCallback(function() said[#said + 1] = port.connected end)
    assert.same({ false, false }, said)
    assert.equal(-1, port:fileno())
  end)
end)
