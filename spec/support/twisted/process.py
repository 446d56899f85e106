"""Processes, after the examples of Twisted's howto/process: what each callback is told, in its order. Of
what happens at the same moment, Twisted's order is not always the same: nothing here does."""
import sys

from twisted.internet import reactor, utils
from say import error, protocol, say


class Recorder(protocol.ProcessProtocol):
    def connectionMade(self):
        say("connectionMade!")
        self.made()

    def made(self):
        pass

    def outReceived(self, data):
        say("outReceived! with %d bytes!" % len(data), data.decode().split())

    def errReceived(self, data):
        say("errReceived! with %d bytes!" % len(data))

    def inConnectionLost(self):
        say("inConnectionLost! stdin is closed! (we probably did it)")

    def outConnectionLost(self):
        say("outConnectionLost! The child closed their stdout!")

    def errConnectionLost(self):
        say("errConnectionLost! The child closed their stderr.")

    def processExited(self, reason):
        say("processExited", reason.value.exitCode, reason.value.signal, reason.getErrorMessage())

    def processEnded(self, reason):
        say("processEnded", reason.value.exitCode, reason.check(error.ProcessDone) is not None)
        reactor.stop()


class WordCount(Recorder):
    def made(self):
        for _ in range(10):
            self.transport.write(b"Aleph-null bottles of beer on the wall,\n" * 4)
        self.transport.closeStdin()


class Verifier(Recorder):
    """As one talks to gpg: a key and a signature by descriptors of their own, and a status by another."""

    def made(self):
        self.transport.writeToChild(3, b"the key")
        self.transport.closeChildFD(3)

    def childDataReceived(self, fd, data):
        say("childDataReceived", fd, data.decode())
        if fd == 4:
            self.transport.writeToChild(0, b"the text")
            self.transport.closeStdin()

    def childConnectionLost(self, fd):
        say("childConnectionLost", fd)


class Killed(Recorder):
    def outReceived(self, data):
        say(data.decode().strip())
        self.transport.signalProcess("KILL")


def shell(text):
    return ["sh", "-c", text]


def spawn(recorder, argv, **options):
    reactor.spawnProcess(recorder, argv[0], argv, {"PATH": "/bin:/usr/bin"}, **options)


def terminal():
    spawn(Recorder(), shell("test -t 0 && echo yes; exit 4"), usePTY=True)


def all_of(deferreds):
    from say import defer
    d = defer.DeferredList(deferreds, consumeErrors=True)
    d.addCallback(lambda results: [say(ok, show(value)) for ok, value in results])
    d.addBoth(lambda _: reactor.stop())


def show(value):
    value = getattr(value, "value", value)
    if isinstance(value, tuple):
        return " ".join(show(item) for item in value)
    return value.decode().strip() if isinstance(value, bytes) else str(value)


SCENARIOS = {
    "wc": lambda: spawn(WordCount(), shell("wc; exec >&-; sleep 0.1; exec 2>&-; sleep 0.1")),
    "gpg": lambda: spawn(
        Verifier(),
        shell("key=$(cat <&3); echo $key >&4; cat; sleep 0.1; exec 4>&-; sleep 0.1; exec 1>&-; sleep 0.1; exit 3"),
        childFDs={0: "w", 1: "r", 3: "w", 4: "r"}),
    "killed": lambda: spawn(Killed(), shell("echo ready; exec sleep 60"), childFDs={1: "r"}),
    "closes": lambda: spawn(Recorder(), shell("exec >&-; sleep 0.1; exec 2>&-; sleep 0.1; exec <&-; sleep 0.1; exit 5")),
    "grandchild": lambda: spawn(
        Recorder(), shell("(sleep 0.3; echo late) & exit 0"), childFDs={1: "r"}),
    "terminal": terminal,
    "utils": lambda: all_of([
        utils.getProcessOutput("/bin/echo", ["hello"]),
        utils.getProcessOutput("/bin/sh", ["-c", "echo out; sleep 0.1; echo err >&2"], errortoo=True),
        utils.getProcessValue("/bin/sh", ["-c", "exit 3"]),
        utils.getProcessOutputAndValue("/bin/sh", ["-c", "cat; echo err >&2; exit 2"], stdinBytes=b"in "),
        utils.getProcessOutputAndValue("/bin/sh", ["-c", "echo out; kill -9 $$"]),
    ]),
}

reactor.callWhenRunning(SCENARIOS[sys.argv[1]])
reactor.callLater(20, reactor.stop)
reactor.run()
