"""A member of a group, after Twisted's example of multicast. Arguments: the group, the port, and what it says to the
group at first, if anything. Prints its own port when it has joined, and what comes; answers a ping; ends with "bye"."""
import sys

from twisted.internet import reactor
from twisted.internet.protocol import DatagramProtocol

group, port = sys.argv[1], int(sys.argv[2])
greetings = sys.argv[3:]


def say(*words):
    print(*words, flush=True)


class Member(DatagramProtocol):
    def startProtocol(self):
        self.transport.setTTL(0)
        self.transport.setOutgoingInterface("127.0.0.1")
        self.transport.joinGroup(group, "127.0.0.1")
        say(self.transport.getHost().port)
        for greeting in greetings:
            self.transport.write(greeting.encode(), (group, port))

    def datagramReceived(self, data, address):
        say(data.decode())
        if data == b"Client: Ping":
            self.transport.write(b"Server: Pong", address)
        if data == b"bye":
            reactor.stop()


reactor.listenMulticast(0 if greetings else port, Member(), listenMultiple=not greetings)
reactor.run()
