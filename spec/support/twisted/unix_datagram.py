"""Datagrams at a Unix socket. Arguments: "listen" and a path; or "connect", a path and one's own. Prints what comes, and
whom it is from; ends with "bye"."""
import sys

from twisted.internet import reactor
from twisted.internet.protocol import ConnectedDatagramProtocol, DatagramProtocol


def say(*words):
    print(*words, flush=True)


class Server(DatagramProtocol):
    def startProtocol(self):
        say("ready")

    def datagramReceived(self, data, address):
        say(data.decode(), address)
        if data == b"bye":
            reactor.stop()
        else:
            self.transport.write(b"re: " + data, address)


class Client(ConnectedDatagramProtocol):
    def startProtocol(self):
        self.transport.write(b"hello")

    def datagramReceived(self, data):
        say(data.decode())
        if data == b"bye":
            reactor.stop()


if sys.argv[1] == "listen":
    reactor.listenUNIXDatagram(sys.argv[2], Server())
else:
    reactor.connectUNIXDatagram(sys.argv[2], Client(), bindAddress=sys.argv[3])
reactor.run()
