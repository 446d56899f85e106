"""Scenarios of addReader and its like, for spec/csock/reactor/descriptors_spec.lua."""
import socket
from say import *
from twisted.internet import reactor


class Mine:
    """Says what it is told; `reads` and `writes` are what its methods give, at last for ever."""

    def __init__(self, name, socket, reads=(), writes=()):
        self.name, self.socket, self.reads, self.writes = name, socket, list(reads), list(writes)

    def fileno(self):
        return self.socket.fileno()

    def logPrefix(self):
        return self.name

    def doRead(self):
        say(self.name, "reads", self.socket.recv(1).decode() or "the end")
        return self.next(self.reads)

    def doWrite(self):
        say(self.name, "writes")
        return self.next(self.writes)

    def connectionLost(self, reason):
        say(self.name, "is lost", reason.type.__name__, self in reactor.getReaders(), self in reactor.getWriters())

    def next(self, results):
        result = results.pop(0) if results else None
        if result == "raise":
            raise ValueError("bad")
        return result


def turns(n=4):
    for _ in range(n):
        reactor.iterate(0.02)


def listed(mine):
    say(mine in reactor.getReaders(), mine in reactor.getWriters())


def over(mine):
    reactor.removeReader(mine)
    reactor.removeWriter(mine)


@scenario
def level():
    a, b = socket.socketpair()
    mine = Mine("it", a)
    reactor.addReader(mine)
    reactor.addReader(mine)
    listed(mine)
    b.send(b"abc")
    for n in range(4):
        say("turn", n)
        turns(1)
    b.send(b"d")
    turns()
    reactor.removeReader(mine)
    reactor.removeReader(mine)
    listed(mine)
    b.send(b"e")
    turns()


@scenario
def writer():
    a, b = socket.socketpair()
    mine = Mine("it", a)
    reactor.addWriter(mine)
    listed(mine)
    turns(2)
    reactor.removeWriter(mine)
    turns(2)
    listed(mine)


@scenario
def both():
    a, b = socket.socketpair()
    mine = Mine("it", a, writes=[None, error.ConnectionDone()])
    reactor.addReader(mine)
    reactor.addWriter(mine)
    b.send(b"abc")
    turns(1)
    say("again")
    turns(2)
    listed(mine)


@scenario
def reason():
    a, b = socket.socketpair()
    mine = Mine("it", a, reads=[None, error.ConnectionLost()])
    reactor.addReader(mine)
    reactor.addWriter(mine)
    reactor.removeWriter(mine)
    b.send(b"abc")
    turns()
    listed(mine)


@scenario
def half():
    a, b = socket.socketpair()

    from zope.interface import implementer

    @implementer(interfaces.IHalfCloseableDescriptor)
    class Half(Mine):
        def readConnectionLost(self, reason):
            say("half", reason.type.__name__)
            listed(self)

        def writeConnectionLost(self, reason):
            say("not called")

    mine = Half("it", a, reads=[error.ConnectionDone()], writes=[None, error.ConnectionDone()])
    b.send(b"a")
    reactor.addReader(mine)
    reactor.addWriter(mine)
    turns()
    listed(mine)


@scenario
def raising():
    a, b = socket.socketpair()
    mine = Mine("it", a, reads=["raise"])
    mine.connectionLost = lambda reason: say("lost", reason.getErrorMessage())
    reactor.addReader(mine)
    b.send(b"ab")
    turns()
    listed(mine)


@scenario
def hangup():
    a, b = socket.socketpair()
    mine = Mine("it", a, reads=[None, error.ConnectionDone()])
    reactor.addReader(mine)
    b.send(b"a")
    b.close()
    turns(2)
    listed(mine)


@scenario
def itself():
    a, b = socket.socketpair()

    class Itself(Mine):
        def doRead(self):
            Mine.doRead(self)
            reactor.removeReader(self)
            reactor.addWriter(self)

        def doWrite(self):
            Mine.doWrite(self)
            reactor.removeWriter(self)
            reactor.addReader(self)

    mine = Itself("it", a)
    reactor.addReader(mine)
    b.send(b"ab")
    turns(6)
    over(mine)


@scenario
def all_of_them():
    a, b = socket.socketpair()
    first, second = Mine("first", a), Mine("second", b)
    reactor.addReader(first)
    reactor.addWriter(first)
    reactor.addWriter(second)
    removed = reactor.removeAll()
    say(len(removed), first in removed, second in removed)
    listed(first)
    listed(second)
    turns(2)
    for mine in first, second:
        mine.connectionLost(Failure(error.ConnectionLost()))


@scenario
def disconnected():
    a, b = socket.socketpair()
    mine = Mine("it", a)
    reactor.addReader(mine)
    reactor.addWriter(mine)
    reactor.disconnectAll()
    listed(mine)
