-- Transports and reactors in memory: what they do beside Twisted's, and what protocols do on them.
local class = require "csock.class"
local csock = require "csock"
local defer = require "csock.defer"
local proto_helpers = require "csock.proto_helpers"
local protocol = require "csock.protocol"
local reason = require "csock.reactor.reason"
local twisted = require "spec.support.twisted"

local same = twisted.specs(it, pending)
local FILE = "spec/support/twisted/testing.py:"

local function refused(say, object, method, ...)
  local ok, err = pcall(object[method], object, ...)
  assert.is_false(ok)
  say((err:gsub("^[^ ]*:%d+: ", "")))
end

-- An echo server that tells of what befalls it.
local function new_echo(say)
  local Echo = class("Echo", protocol.LineReceiver)
  function Echo:connectionMade() self:sendLine "hello" end
  function Echo:lineReceived(line)
    if line == "quit" then self.transport:loseConnection() end
    self:sendLine(line)
  end
  function Echo:lineLengthExceeded(line)
    say "too long"
    return Echo.super.lineLengthExceeded(self, line)
  end
  function Echo.connectionLost(_, why) say("lost:", why.__class.__name) end
  return Echo()
end

local function text(transport) return (transport:value():gsub("\r\n", "|")) end

describe("a transport in memory does as Twisted's:", function()
  same("a protocol of lines on it", FILE .. "echo", function(say)
    local transport, echo = proto_helpers.StringTransport(), new_echo(say)
    echo:makeConnection(transport)
    say(text(transport))
    transport:clear()
    echo:dataReceived "on"
    say(text(transport))
    echo:dataReceived "e\r\ntwo\r\nthr"
    say(text(transport))
    echo:dataReceived "ee\r\nquit\r\nmore\r\n"
    say(text(transport), transport.disconnecting, transport.disconnected, transport.connected)
  end)

  same("a line that is too long", FILE .. "long_line", function(say)
    local transport, echo = proto_helpers.StringTransport(), new_echo(say)
    echo.MAX_LENGTH = 5
    echo:makeConnection(transport)
    echo:dataReceived "12345\r\n123456\r\n"
    say(text(transport), transport.disconnecting)
  end)

  same("one with an end", FILE .. "disconnection", function(say)
    local transport, echo = proto_helpers.StringTransportWithDisconnection(), new_echo(say)
    transport.protocol = echo
    echo:makeConnection(transport)
    echo:dataReceived "quit\r\n"
    transport:loseConnection()
    say(text(transport), transport.connected, transport.disconnecting, transport.disconnected)
    transport = proto_helpers.StringTransportWithDisconnection()
    transport.protocol = new_echo(say)
    transport:abortConnection()
    say(transport.connected, transport.disconnecting, transport.disconnected)
  end)

  same("as a producer", FILE .. "producing", function(say)
    local transport = proto_helpers.StringTransport()
    say(transport.producerState)
    transport:pauseProducing()
    say(transport.producerState)
    transport:resumeProducing()
    say(transport.producerState)
    transport:loseConnection()
    refused(say, transport, "resumeProducing")
    refused(say, transport, "pauseProducing")
    transport:stopProducing()
    say(transport.producerState)
    local lenient = proto_helpers.StringTransport(nil, nil, true)
    lenient:loseConnection()
    lenient:pauseProducing()
    lenient:resumeProducing()
    say(lenient.producerState)
    lenient:stopProducing()
    refused(say, lenient, "resumeProducing")
  end)

  same("as a consumer", FILE .. "consuming", function(say)
    local transport = proto_helpers.StringTransport()
    refused(say, transport, "unregisterProducer")
    local producer = {}
    transport:registerProducer(producer, true)
    say(transport.producer == producer, transport.streaming)
    refused(say, transport, "registerProducer", producer, false)
    transport:unregisterProducer()
    say(transport.producer, transport.streaming)
    local pull = proto_helpers.NonStreamingProducer(transport)
    pull.result:addCallback(function() say "done" end)
    transport:registerProducer(pull, false)
    while transport.producer do transport.producer:resumeProducing() end
    say(text(transport), pull.counter)
    refused(say, pull, "resumeProducing")
    refused(say, pull, "pauseProducing")
  end)

  same("its addresses, and what is written", FILE .. "addresses", function(say)
    local transport = proto_helpers.StringTransport()
    say(transport:getHost().host, transport:getHost().port, transport:getPeer().host, transport:getPeer().port)
    transport = proto_helpers.StringTransport("here", "there")
    say(transport:getHost(), transport:getPeer())
    transport:writeSequence { "a", "b" }
    transport:write "c"
    say(text(transport), text(transport))
  end)

  same("a protocol that keeps everything", FILE .. "accumulating", function(say)
    local factory = protocol.Factory:forProtocol(proto_helpers.AccumulatingProtocol)
    local built = factory:buildProtocol()
    factory.protocolConnectionMade = defer.Deferred()
    factory.protocolConnectionMade:addCallback(function(made) say("made", made == built) end)
    say(built.made, built.closed, built.data)
    built:makeConnection(proto_helpers.StringTransport())
    say(built.made, factory.protocolConnectionMade)
    built:dataReceived "a"
    built:dataReceived "b"
    built.closedDeferred = defer.Deferred()
    built.closedDeferred:addCallback(function(result) say("closed", result) end)
    built:connectionLost(reason.ConnectionDone())
    say(built.data, built.closed, built.closedReason.__class.__name)
  end)

  same("a protocol that sends lines", FILE .. "sending_lines", function(say)
    for _, start in ipairs { true, false } do
      local lines = proto_helpers.LineSendingProtocol({ "a", "b" }, start)
      local transport = proto_helpers.StringTransport()
      lines:makeConnection(transport)
      say(text(transport))
      lines:dataReceived "x\r\ny\r\n"
      say(text(transport), #lines.response, lines.lostConn)
      lines:connectionLost(reason.ConnectionDone())
      say(lines.lostConn)
    end
  end)

  same("one for datagrams", FILE .. "datagrams", function(say)
    local transport = proto_helpers.FakeDatagramTransport()
    transport:write("a", "there")
    transport:write("b", "elsewhere")
    for _, pair in ipairs(transport.written) do say(pair[1], pair[2]) end
  end)

  it("takes strings alone", function()
    local transport = proto_helpers.StringTransport()
    assert.error_matches(function() transport:write(1) end, "bad argument #1 to 'write' %(string expected, got 1%)")
  end)
end)

describe("a reactor in memory does as Twisted's:", function()
  same("its clock, and what it is told", FILE .. "clock", function(say)
    local reactor = proto_helpers.MemoryReactorClock()
    reactor.callLater(2, say, "two")
    reactor.callLater(1, say, "one")
    say(("%.1f"):format(reactor.seconds()), #reactor.getDelayedCalls())
    reactor.advance(1)
    reactor.advance(0.5)
    say(reactor.seconds())
    reactor.advance(0.5)
    reactor.callWhenRunning(say, "running")
    reactor.run()
    say(reactor.running, reactor.hasRun, reactor.hasStopped)
    reactor.addSystemEventTrigger("before", "shutdown", say, "x")
    say(#reactor.triggers.before.shutdown)
    local one = {}
    reactor.addReader(one)
    reactor.addReader(one)
    reactor.addWriter(one)
    say(#reactor.getReaders(), #reactor.getWriters())
    reactor.removeReader(one)
    say(#reactor.getReaders(), #reactor.getWriters())
    reactor.removeAll()
    say(#reactor.getReaders(), #reactor.getWriters())
  end)

  same("waiting until all are disconnected", FILE .. "until_disconnected", function(say)
    local reactor, servers = proto_helpers.MemoryReactorClock(), {}
    for i = 1, 2 do
      servers[i] = proto_helpers.AccumulatingProtocol()
      servers[i]:makeConnection(proto_helpers.StringTransport())
    end
    proto_helpers.waitUntilAllDisconnected(reactor, servers):addCallback(function() say "all" end)
    for _, server in ipairs(servers) do
      reactor.advance(0.01)
      say "one"
      server.transport.connected = false
    end
    reactor.advance(0.01)
    say "end"
  end)

  same("a factory that connects again", FILE .. "reconnecting", function(say)
    local reactor, factory = proto_helpers.MemoryReactorClock(), protocol.ReconnectingClientFactory()
    factory.clock, factory.jitter = reactor, 0
    local connector = reactor.connectTCP("10.1.2.3", 80, factory)
    function connector.connect() say "again" end
    for _ = 1, 3 do
      factory:clientConnectionFailed(connector, reason.ConnectionRefusedError())
      say(("%.3f"):format(reactor.getDelayedCalls()[1]:getTime() - reactor.seconds()))
      reactor.advance(100)
    end
  end)

  it("is run once at a time", function()
    local reactor = proto_helpers.MemoryReactor()
    reactor.callWhenRunning(function()
      local ok, err = pcall(function() reactor.run() end)
      assert.is_false(ok)
      assert.match("proto_helpers_spec.lua:%d+: the reactor is running already$", err)
    end)
    reactor.run()
    reactor.crash()
    assert.is_true(reactor.hasCrashed)
    reactor.install()
    assert.is_true(reactor.hasInstalled)
  end)

  it("notes what it is asked to listen at", function()
    local reactor, factory = proto_helpers.MemoryReactor(), protocol.Factory()
    assert.equal("::1", reactor.listenTCP(80, factory, 5, "::1"):getHost().host)
    assert.equal(443, reactor.listenSSL(443, factory, true):getHost().port)
    assert.equal("/a", reactor.listenUNIX("/a", factory):getHost())
    assert.equal(csock.AF_INET6, reactor.adoptStreamPort(7, csock.AF_INET6, factory):getHost().family)
    local _, err, errno = reactor.adoptStreamPort(7, 12345, factory)
    assert.equal(csock.errno.EAFNOSUPPORT, errno)
    assert.match("adoptStreamPort", tostring(err))
    reactor.adoptDatagramPort(8, csock.AF_INET, factory)
    reactor.adoptStreamConnection(9, csock.AF_INET, factory)
    assert.same({ { 80, factory, 5, "::1" } }, reactor.tcpServers)
    assert.same({ { 443, factory, true, 50, "" } }, reactor.sslServers)
    assert.same({ { 7, csock.AF_INET6, factory }, { 8, csock.AF_INET, factory, 8192 } }, reactor.adoptedPorts)
    assert.same({ { 9, csock.AF_INET, factory } }, reactor.adoptedStreamConnections)
  end)

  it("refuses as it is told to", function()
    local reactor = proto_helpers.RaisingMemoryReactor({ errno = 1 }, { errno = 2 })
    for _, name in ipairs { "listenTCP", "listenSSL", "listenUNIX", "adoptStreamPort" } do
      assert.equal(1, select(3, reactor[name]()))
    end
    for _, name in ipairs { "connectTCP", "connectSSL", "connectUNIX", "adoptDatagramPort", "adoptStreamConnection" } do
      assert.equal(2, select(3, reactor[name]()))
    end
    assert.error_matches(proto_helpers.RaisingMemoryReactor().listenTCP, "no listenException was given")
  end)
end)

describe("a protocol is tested without a network", function()
  local Counter = class("Counter", protocol.NetstringReceiver)
  Counter.count = 0
  function Counter:stringReceived(data)
    self.count = self.count + 1
    self:sendString(("%d: %s"):format(self.count, data))
  end

  it("whatever the pieces are in which its input comes", function()
    local input = "3:one,3:two,0:,"
    for size = 1, #input do
      local transport, counter = proto_helpers.StringTransport(), Counter()
      counter:makeConnection(transport)
      for i = 1, #input, size do counter:dataReceived(input:sub(i, i + size - 1)) end
      assert.equal("6:1: one,6:2: two,3:3: ,", transport:value())
    end
  end)

  it("also when it pauses what comes", function()
    local Pausing, transport = class("Pausing", protocol.LineReceiver), proto_helpers.StringTransport()
    function Pausing:lineReceived(line)
      self:sendLine(line)
      self:pauseProducing()
    end
    local pausing = Pausing()
    pausing:makeConnection(transport)
    pausing:dataReceived "a\r\nb\r\n"
    assert.equal("a|", text(transport))
    assert.equal("paused", transport.producerState)
    pausing:resumeProducing()
    assert.equal("a|b|", text(transport))
  end)

  it("and its factory, which makes one for each connection", function()
    local reactor = proto_helpers.MemoryReactor()
    reactor.listenTCP(8000, protocol.Factory:forProtocol(Counter))
    local factory = reactor.tcpServers[1][2]
    local built = factory:buildProtocol(csock.address(csock.AF_INET, "127.0.0.1", 12345))
    built:makeConnection(proto_helpers.StringTransport())
    assert.equal(factory, built.factory)
    built:dataReceived "1:a,"
    assert.equal("4:1: a,", built.transport:value())
  end)

  it("of datagrams", function()
    local Echo, transport = class("Echo", protocol.DatagramProtocol), proto_helpers.FakeDatagramTransport()
    function Echo:datagramReceived(data, address) self.transport:write(data, address) end
    local echo = Echo()
    echo:makeConnection(transport)
    echo:datagramReceived("hello", "there")
    assert.same({ { "hello", "there" } }, transport.written)
  end)
end)
