"""Endpoints on a reactor in memory: the scenarios of spec/csock/endpoints/connecting_spec.lua."""
from twisted.internet.address import IPv4Address
from twisted.internet.testing import AccumulatingProtocol, MemoryReactorClock, RaisingMemoryReactor, StringTransport

from say import Failure, endpoints, error, protocol, say, scenario


def tell(deferred):
    def failed(why):
        say("failed", why.value if type(why.value) is RuntimeError else type(why.value).__name__)

    deferred.addCallbacks(lambda result: say("connected", type(result).__name__), failed)


def memory():
    fake = MemoryReactorClock()
    factory = protocol.Factory.forProtocol(AccumulatingProtocol)
    factory.protocolConnectionMade = None
    return fake, factory, endpoints.TCP4ClientEndpoint(fake, "10.1.2.3", 80, 7, ("10.0.0.1", 0))


@scenario
def asks():
    fake, factory, endpoint = memory()
    endpoint.connect(factory)
    host, port, _, timeout, address = fake.tcpClients[0]
    say(host, port, timeout, *address)
    endpoints.TCP4ServerEndpoint(fake, 80, 5, "127.0.0.1").listen(factory).addCallback(
        lambda listening: say("listening", listening.getHost().port)
    )
    port, given, backlog, interface = fake.tcpServers[0]
    say(port, backlog, interface, given is factory)
    endpoints.UNIXServerEndpoint(fake, "/a", 5).listen(factory)
    address, _, backlog, mode, wantPID = fake.unixServers[0]
    say(address, backlog, mode, bool(wantPID))
    endpoints.UNIXClientEndpoint(fake, "/a", 5).connect(factory)
    address, _, timeout, checkPID = fake.unixClients[0]
    say(address, timeout, bool(checkPID))
    endpoints.SSL4ClientEndpoint(fake, "h", 443, object()).connect(factory)
    host, port, _, _, timeout, address = fake.sslClients[0]
    say(host, port, timeout, address)
    endpoints.SSL4ServerEndpoint(fake, 443, object()).listen(factory)
    port, _, _, backlog, interface = fake.sslServers[0]
    say(port, backlog, interface == "")


@scenario
def made():
    fake, factory, endpoint = memory()
    deferred = endpoint.connect(factory)
    tell(deferred)
    built = fake.tcpClients[0][2].buildProtocol(IPv4Address("TCP", "10.1.2.3", 80))
    say("built")
    deferred.addCallback(lambda _: say("later"))
    built.makeConnection(StringTransport())
    built.dataReceived(b"data")
    built.connectionLost(Failure(error.ConnectionDone()))


@scenario
def fails():
    fake, factory, endpoint = memory()
    tell(endpoint.connect(factory))
    fake.tcpClients[0][2].clientConnectionFailed(fake.connectors[0], Failure(error.ConnectionRefusedError()))


@scenario
def cancelled():
    fake, factory, endpoint = memory()
    deferred = endpoint.connect(factory)
    tell(deferred)
    say(fake.connectors[0].stoppedConnecting)
    deferred.cancel()
    say(fake.connectors[0].stoppedConnecting)
    fake.tcpClients[0][2].clientConnectionFailed(fake.connectors[0], Failure(error.UserError()))


def broken(address):
    raise RuntimeError("broken")


@scenario
def makes_nothing():
    fake, factory, endpoint = memory()
    tell(endpoint.connect(factory))
    factory.buildProtocol = lambda address: None
    say(fake.tcpClients[0][2].buildProtocol(None))
    tell(endpoint.connect(factory))
    factory.buildProtocol = broken
    say(fake.tcpClients[1][2].buildProtocol(None))


@scenario
def refuses():
    refusing = RaisingMemoryReactor(error.ConnectError(), error.ConnectionRefusedError())
    factory = protocol.Factory()
    tell(endpoints.TCP4ClientEndpoint(refusing, "h", 1).connect(factory))
    tell(endpoints.UNIXClientEndpoint(refusing, "/a").connect(factory))
    tell(endpoints.SSL4ClientEndpoint(refusing, "h", 1, object()).connect(factory))


@scenario
def starts():
    fake, factory, endpoint = memory()
    factory.startFactory = lambda: say("start")
    factory.stopFactory = lambda: say("stop")
    endpoint.connect(factory)
    telling = fake.tcpClients[0][2]
    telling.noisy = factory.noisy = False
    telling.doStart()
    telling.doStop()
