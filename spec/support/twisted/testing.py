"""Transports and reactors in memory: the scenarios of spec/csock/proto_helpers_spec.lua."""
from twisted.internet import testing

from say import Failure, basic, defer, error, protocol, say, scenario


def refused(f, *args):
    try:
        f(*args)
    except Exception as e:
        say(e)


class Echo(basic.LineReceiver):
    def connectionMade(self):
        self.sendLine(b"hello")

    def lineReceived(self, line):
        if line == b"quit":
            self.transport.loseConnection()
        self.sendLine(line)

    def lineLengthExceeded(self, line):
        say("too long")
        return basic.LineReceiver.lineLengthExceeded(self, line)

    def connectionLost(self, reason):
        say("lost:", type(reason.value).__name__)


def text(transport):
    return transport.value().decode().replace("\r\n", "|")


@scenario
def echo():
    transport = testing.StringTransport()
    echo = Echo()
    echo.makeConnection(transport)
    say(text(transport))
    transport.clear()
    echo.dataReceived(b"on")
    say(text(transport))
    echo.dataReceived(b"e\r\ntwo\r\nthr")
    say(text(transport))
    echo.dataReceived(b"ee\r\nquit\r\nmore\r\n")
    say(text(transport), transport.disconnecting, transport.disconnected, transport.connected)


@scenario
def long_line():
    transport = testing.StringTransport()
    echo = Echo()
    echo.MAX_LENGTH = 5
    echo.makeConnection(transport)
    echo.dataReceived(b"12345\r\n123456\r\n")
    say(text(transport), transport.disconnecting)


@scenario
def disconnection():
    transport = testing.StringTransportWithDisconnection()
    transport.protocol = echo = Echo()
    echo.makeConnection(transport)
    echo.dataReceived(b"quit\r\n")
    transport.loseConnection()
    say(text(transport), transport.connected, transport.disconnecting, transport.disconnected)
    transport = testing.StringTransportWithDisconnection()
    transport.protocol = Echo()
    transport.abortConnection()
    say(transport.connected, transport.disconnecting, transport.disconnected)


@scenario
def producing():
    transport = testing.StringTransport()
    say(transport.producerState)
    transport.pauseProducing()
    say(transport.producerState)
    transport.resumeProducing()
    say(transport.producerState)
    transport.loseConnection()
    refused(transport.resumeProducing)
    refused(transport.pauseProducing)
    transport.stopProducing()
    say(transport.producerState)
    lenient = testing.StringTransport(lenient=True)
    lenient.loseConnection()
    lenient.pauseProducing()
    lenient.resumeProducing()
    say(lenient.producerState)
    lenient.stopProducing()
    refused(lenient.resumeProducing)


@scenario
def consuming():
    transport = testing.StringTransport()
    refused(transport.unregisterProducer)
    producer = object()
    transport.registerProducer(producer, True)
    say(transport.producer is producer, transport.streaming)
    refused(transport.registerProducer, producer, False)
    transport.unregisterProducer()
    say(transport.producer, transport.streaming)
    pull = testing.NonStreamingProducer(transport)
    pull.result.addCallback(lambda _: say("done"))
    transport.registerProducer(pull, False)
    while transport.producer:
        transport.producer.resumeProducing()
    say(text(transport), pull.counter)
    refused(pull.resumeProducing)
    refused(pull.pauseProducing)


@scenario
def addresses():
    transport = testing.StringTransport()
    say(transport.getHost().host, transport.getHost().port, transport.getPeer().host, transport.getPeer().port)
    transport = testing.StringTransport("here", "there")
    say(transport.getHost(), transport.getPeer())
    transport.writeSequence([b"a", b"b"])
    transport.write(b"c")
    say(text(transport), text(transport))


@scenario
def accumulating():
    factory = protocol.Factory.forProtocol(testing.AccumulatingProtocol)
    factory.protocolConnectionMade = defer.Deferred()
    factory.protocolConnectionMade.addCallback(lambda p: say("made", p is built))
    built = factory.buildProtocol(None)
    say(bool(built.made), bool(built.closed), built.data.decode())
    built.makeConnection(testing.StringTransport())
    say(bool(built.made), factory.protocolConnectionMade)
    built.dataReceived(b"a")
    built.dataReceived(b"b")
    built.closedDeferred = defer.Deferred()
    built.closedDeferred.addCallback(lambda result: say("closed", result))
    built.connectionLost(Failure(error.ConnectionDone()))
    say(built.data.decode(), bool(built.closed), type(built.closedReason.value).__name__)


@scenario
def sending_lines():
    for start in True, False:
        lines = testing.LineSendingProtocol([b"a", b"b"], start)
        transport = testing.StringTransport()
        lines.makeConnection(transport)
        say(text(transport))
        lines.dataReceived(b"x\r\ny\r\n")
        say(text(transport), len(lines.response), lines.lostConn)
        lines.connectionLost(Failure(error.ConnectionDone()))
        say(lines.lostConn)


@scenario
def datagrams():
    transport = testing.FakeDatagramTransport()
    transport.write(b"a", "there")
    transport.write(b"b", "elsewhere")
    for data, address in transport.written:
        say(data.decode(), address)


@scenario
def clock():
    reactor = testing.MemoryReactorClock()
    reactor.callLater(2, say, "two")
    reactor.callLater(1, say, "one")
    say(reactor.seconds(), len(reactor.getDelayedCalls()))
    reactor.advance(1)
    reactor.advance(0.5)
    say(reactor.seconds())
    reactor.advance(0.5)
    reactor.callWhenRunning(say, "running")
    reactor.run()
    say(reactor.running, reactor.hasRun, reactor.hasStopped)
    reactor.addSystemEventTrigger("before", "shutdown", say, "x")
    say(len(reactor.triggers["before"]["shutdown"]))
    one = object()
    reactor.addReader(one)
    reactor.addReader(one)
    reactor.addWriter(one)
    say(len(reactor.getReaders()), len(reactor.getWriters()))
    reactor.removeReader(one)
    say(len(reactor.getReaders()), len(reactor.getWriters()))
    reactor.removeAll()
    say(len(reactor.getReaders()), len(reactor.getWriters()))


@scenario
def until_disconnected():
    reactor = testing.MemoryReactorClock()
    servers = [testing.AccumulatingProtocol() for _ in range(2)]
    for server in servers:
        server.makeConnection(testing.StringTransport())
    testing.waitUntilAllDisconnected(reactor, servers).addCallback(lambda _: say("all"))
    for server in servers:
        reactor.advance(0.01)
        say("one")
        server.transport.connected = False
    reactor.advance(0.01)
    say("end")


class Reconnecting(protocol.ReconnectingClientFactory):
    protocol = testing.AccumulatingProtocol
    jitter = 0
    noisy = False


@scenario
def reconnecting():
    reactor = testing.MemoryReactorClock()
    factory = Reconnecting()
    factory.clock = reactor
    connector = reactor.connectTCP("10.1.2.3", 80, factory)
    connector.connect = lambda: say("again")
    for _ in range(3):
        factory.clientConnectionFailed(connector, Failure(error.ConnectionRefusedError()))
        say("%.3f" % (reactor.getDelayedCalls()[0].getTime() - reactor.seconds()))
        reactor.advance(100)
