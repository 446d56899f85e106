"""Scenarios for spec/csock/policies/twisted_spec.lua."""
import io

from twisted.internet.address import IPv4Address
from twisted.python import log

from say import *


class Transport:
    """Says what it is asked for."""

    disconnecting = False

    def __init__(self, name, peer=None):
        self.name, self.peer = name, peer

    def write(self, data):
        say(self.name, "write", data.decode())

    def writeSequence(self, pieces):
        say(self.name, "write", b"".join(pieces).decode())

    def loseConnection(self):
        self.disconnecting = True
        say(self.name, "loseConnection")

    def pauseProducing(self):
        say(self.name, "pauseProducing")

    def resumeProducing(self):
        say(self.name, "resumeProducing")

    def registerProducer(self, producer, streaming):
        self.producer = producer
        say(self.name, "registerProducer", streaming)

    def unregisterProducer(self):
        del self.producer
        say(self.name, "unregisterProducer")

    def stopConsuming(self):
        say(self.name, "stopConsuming")

    def getPeer(self):
        return self.peer or IPv4Address("TCP", "10.0.0.1", 1)

    def getHost(self):
        return IPv4Address("TCP", "127.0.0.1", 2)

    def increment(self, number):
        return number + 1


class Inner(protocol.Protocol):
    """Says what it is told."""

    def connectionMade(self):
        say("made on", self.transport.__class__.__name__, self.factory.__class__.__name__)

    def dataReceived(self, data):
        say("received", data.decode())

    def connectionLost(self, reason):
        say("lost", reason.getErrorMessage())


class InnerFactory(protocol.ClientFactory):
    noisy = False
    protocol = Inner

    def startFactory(self):
        say("startFactory")

    def stopFactory(self):
        say("stopFactory")

    def startedConnecting(self, connector):
        say("startedConnecting", connector)

    def clientConnectionFailed(self, connector, reason):
        say("clientConnectionFailed", connector, reason.getErrorMessage())

    def clientConnectionLost(self, connector, reason):
        say("clientConnectionLost", connector, reason.getErrorMessage())


class Producer:
    def pauseProducing(self):
        say("pause the producer")

    def resumeProducing(self):
        say("resume the producer")

    def stopProducing(self):
        say("stop the producer")


DONE = Failure(error.ConnectionDone())


def connect(factory, name="a", peer=None):
    made = factory.buildProtocol(("10.0.0.1", 1))
    if made is None:
        say(name, "refused")
        return None
    made.makeConnection(Transport(name, peer))
    return made


@scenario
def wrapping():
    class Wrapper(policies.ProtocolWrapper):
        def connectionMade(self):
            say("the wrapper is made")

    class Factory(policies.WrappingFactory):
        noisy = False
        protocol = Wrapper

        def registerProtocol(self, p):
            say("register")
            policies.WrappingFactory.registerProtocol(self, p)

        def unregisterProtocol(self, p):
            say("unregister")
            policies.WrappingFactory.unregisterProtocol(self, p)

        def startFactory(self):
            say("start the outer one")

        def stopFactory(self):
            say("stop the outer one")

    factory = Factory(InnerFactory())
    factory.doStart()
    wrapper = connect(factory)
    inner = wrapper.wrappedProtocol
    say(inner.transport is wrapper, inner.factory is factory.wrappedFactory, len(factory.protocols))
    wrapper.dataReceived(b"hello")
    inner.transport.write(b"world")
    inner.transport.writeSequence([b"a", b"b"])
    producer = Producer()
    inner.transport.registerProducer(producer, True)
    say(inner.transport.producer is producer)
    inner.transport.unregisterProducer()
    inner.transport.stopConsuming()
    inner.transport.pauseProducing()
    inner.transport.resumeProducing()
    say(inner.transport.getPeer().host, inner.transport.getHost().host, inner.transport.increment(1))
    inner.transport.loseConnection()
    say(bool(inner.transport.disconnecting))
    wrapper.connectionLost(DONE)
    say(wrapper.wrappedProtocol, len(factory.protocols))
    factory.doStop()


@scenario
def connecting():
    factory = policies.WrappingFactory(InnerFactory())
    factory.noisy = False
    factory.doStart()
    factory.startedConnecting("connector")
    factory.clientConnectionFailed("connector", Failure(error.UserError()))
    factory.clientConnectionLost("connector", DONE)
    factory.doStop()
    say(factory.logPrefix())


def throttling(**limits):
    clock = task.Clock()
    factory = policies.ThrottlingFactory(InnerFactory(), **limits)
    factory.callLater = clock.callLater
    return clock, factory


@scenario
def counting():
    clock, factory = throttling(maxConnectionCount=2)
    first = connect(factory)
    connect(factory, "b")
    connect(factory, "c")
    first.connectionLost(DONE)
    connect(factory, "d")
    say(factory.connectionCount, len(clock.getDelayedCalls()))


@scenario
def throttled_reads():
    clock, factory = throttling(readLimit=10)
    a, b = connect(factory), connect(factory, "b")
    for seconds, count in [(1, 10), (1, 25), (1, 0), (0.4, 0), (0.2, 0), (0.5, 5), (2, 0)]:
        if count:
            a.dataReceived(b"x" * count)
        clock.advance(seconds)
        say("at", round(clock.seconds(), 3), "count", factory.readThisSecond)
    a.connectionLost(DONE)
    say("calls", len(clock.getDelayedCalls()))
    b.connectionLost(DONE)
    say("calls", len(clock.getDelayedCalls()))


@scenario
def throttled_writes():
    clock, factory = throttling(writeLimit=10)
    a, b = connect(factory), connect(factory, "b")
    producer = Producer()
    a.registerProducer(producer, True)
    for seconds, count in [(1, 10), (1, 20), (0.5, 0), (0.6, 0), (1, 15)]:
        a.write(b"x" * count)
        b.writeSequence([b"y", b"z"])
        clock.advance(seconds)
        say("at", round(clock.seconds(), 3), "count", factory.writtenThisSecond)
    a.unregisterProducer()
    clock.advance(5)
    for p in a, b:
        p.connectionLost(DONE)
    say("calls", len(clock.getDelayedCalls()))


@scenario
def idle():
    clock = task.Clock()
    factory = policies.TimeoutFactory(InnerFactory(), 10)
    factory.callLater = clock.callLater
    p = connect(factory)

    def pass_by(seconds):
        clock.advance(seconds)
        say("at", clock.seconds(), "calls", len(clock.getDelayedCalls()))

    pass_by(9)
    p.dataReceived(b"in")
    pass_by(9)
    p.write(b"out")
    pass_by(9)
    p.writeSequence([b"o", b"ut"])
    pass_by(9)
    p.setTimeout(20)
    pass_by(19)
    p.cancelTimeout()
    pass_by(100)
    p.dataReceived(b"more")
    p.setTimeout(5)
    pass_by(5)
    p.connectionLost(DONE)
    q = connect(factory, "q")
    q.connectionLost(DONE)
    pass_by(100)


@scenario
def mixed_in():
    clock = task.Clock()

    class Mine(Inner, policies.TimeoutMixin):
        factory = None
        callLater = staticmethod(clock.callLater)

        def timeoutConnection(self):
            say("timed out at", clock.seconds())
            policies.TimeoutMixin.timeoutConnection(self)

    p = Mine()
    p.makeConnection(Transport("a"))
    say(p.setTimeout(10), p.timeOut)
    clock.advance(9)
    p.resetTimeout()
    clock.advance(9)
    say(p.setTimeout(3), p.timeOut)
    clock.advance(2)
    say(p.setTimeout(None), p.timeOut, len(clock.getDelayedCalls()))
    p.resetTimeout()
    clock.advance(10)
    say(p.setTimeout(2), p.timeOut)
    clock.advance(2)
    p.resetTimeout()
    say(p.setTimeout(None), len(clock.getDelayedCalls()))


@scenario
def by_peer():
    factory = policies.LimitConnectionsByPeer(InnerFactory())
    factory.maxConnectionsPerPeer = 2
    factory.startFactory()
    first = connect(factory, "a", ("TCP", "10.0.0.1", 1))
    connect(factory, "b", ("TCP", "10.0.0.1", 1))
    connect(factory, "c")
    say(factory.buildProtocol(("10.0.0.2", 1)) is not None)
    first.connectionLost(DONE)
    connect(factory, "d")
    say(sorted(factory.peerConnections.items())[0][1])


@scenario
def in_all():
    class Overflow(Inner):
        def connectionMade(self):
            say("too many")
            self.transport.loseConnection()

    factory = policies.LimitTotalConnectionsFactory()
    factory.protocol = Inner
    factory.connectionLimit = 1
    first = connect(factory)
    say(factory.connectionCount)
    connect(factory, "b")
    factory.overflowProtocol = Overflow
    third = connect(factory, "c")
    say(factory.connectionCount, third.wrappedProtocol.factory is factory)
    third.connectionLost(DONE)
    first.connectionLost(DONE)
    say(factory.connectionCount)
    factory.connectionLimit = None
    connect(factory, "d")
    connect(factory, "e")
    say(factory.connectionCount)


@scenario
def to_files():
    factory = policies.TrafficLoggingFactory(InnerFactory(), "prefix")
    logs = {}

    def open(name):
        say("open", name)
        logs[name] = io.StringIO()
        return logs[name]

    factory.open = open
    p = connect(factory)
    p.dataReceived(b"hello\r\n\tit is \\")
    p.write(b"0123456789 and much more")
    p.writeSequence([b"x", b"y"])
    p.wrappedProtocol.transport.loseConnection()
    connect(factory)
    for name in sorted(logs):
        say(name)
        say(logs[name].getvalue().replace("b'", "'"))
    factory.resetCounter()
    connect(factory)


@scenario
def to_the_log():
    log.addObserver(lambda event: say(event["message"][0].replace("b'", "'")))
    p = connect(policies.SpewingFactory(InnerFactory()))
    p.dataReceived(b"hello\r\n")
    p.write(b"\x01\x7f")
