"""One side of a connection: `peer.py server DESCRIPTION` or `peer.py client DESCRIPTION`.

The server says where it listens, and answers each line in capital letters. The client says "hello", and prints the
answer; or the name of what went wrong.
"""
import sys

from twisted.internet import reactor

from say import basic, endpoints, protocol, say


class Shouting(basic.LineReceiver):
    def lineReceived(self, line):
        self.sendLine(line.upper())


class Asking(basic.LineReceiver):
    def connectionMade(self):
        self.sendLine(b"hello")

    def lineReceived(self, line):
        say("answer:", line.decode())
        self.transport.loseConnection()

    def connectionLost(self, reason):
        say("lost:", type(reason.value).__name__)
        reactor.stop()


def listening(port):
    say("listening at", getattr(port.getHost(), "port", "path"))


def failed(reason):
    say("failed:", type(reason.value).__name__)
    reactor.stop()


side, description = sys.argv[1:]
if side == "server":
    started = endpoints.serverFromString(reactor, description).listen(protocol.Factory.forProtocol(Shouting))
    started.addCallbacks(listening, failed)
else:
    endpoints.connectProtocol(endpoints.clientFromString(reactor, description), Asking()).addErrback(failed)
reactor.run()
