"""Processes as the other side of endpoints: what spec/csock/endpoints/process_spec.lua does with csock's."""
from twisted.internet import reactor

from say import endpoints, protocol, say

SCRIPTS = ["read line; echo got $line", "echo one; exit 3", "echo no >&2; kill -9 $$"]


class Talking(protocol.Protocol):
    data = b""

    def connectionMade(self):
        say("made")
        self.transport.write(b"hello\n")

    def dataReceived(self, data):
        self.data += data

    def connectionLost(self, reason):
        say("lost", type(reason.value).__name__, self.data.decode())
        run(SCRIPTS)


def run(scripts):
    if not scripts:
        return reactor.stop()
    drop = endpoints.StandardErrorBehavior.DROP
    endpoint = endpoints.ProcessEndpoint(reactor, "/bin/sh", ["sh", "-c", scripts.pop(0)], errFlag=drop)
    endpoint.connect(protocol.Factory.forProtocol(Talking)).addCallback(
        lambda talking: say("connected", type(talking).__name__)
    )


reactor.callWhenRunning(run, SCRIPTS)
reactor.run()
