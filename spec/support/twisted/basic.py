"""Scenarios for spec/csock/protocol/twisted_spec.lua."""
import io

from say import *

say_as_it_is = say


def say(*words):
    """Bytes as text."""
    say_as_it_is(*(word.decode() if isinstance(word, bytes) else word for word in words))


class Transport:
    """Says what it is asked for."""

    disconnecting = False

    def write(self, data):
        say("write", data)

    def writeSequence(self, pieces):
        say("write", b"".join(pieces))

    def loseConnection(self):
        self.disconnecting = True
        say("loseConnection")


def connected(p):
    p.makeConnection(Transport())
    return p


class Receiver:
    def stringReceived(self, data):
        say("string", data)

    def lengthLimitExceeded(self, length):
        say("too long", length)
        self.transport.loseConnection()


@scenario
def prefixes():
    class Little(Receiver, basic.IntNStringReceiver):
        structFormat = "<I"
        prefixLength = 4
        MAX_LENGTH = 300

    for cut in 1, 2, 7, 100:
        p = connected(Little())
        data = b"\x03\0\0\0abc\0\0\0\0\x01\0\0\0x"
        for i in range(0, len(data), cut):
            p.dataReceived(data[i : i + cut])
        p.sendString(b"hello")
        p.dataReceived(b"\x2d\x01\0\0")


@scenario
def netstrings():
    class Net(basic.NetstringReceiver):
        MAX_LENGTH = 12

        def stringReceived(self, data):
            say("string", data)

        def _consumeData(self):
            try:
                basic.NetstringReceiver._consumeData(self)
            except basic.NetstringParseError as e:
                say("error", e)
                raise

    for data in [b"5:hello,0:,", b"x", b"05:hello,", b"5;hello", b"13:", b"99999999:", b"2:abc", b"2:ab,y", b":"]:
        p = connected(Net())
        p.dataReceived(data)
        say(bool(p.brokenPeer), p.transport.disconnecting)


@scenario
def stateful_strings():
    class Mine(basic.StatefulStringProtocol, basic.Int8StringReceiver):
        def proto_init(self, data):
            say("init", data)
            return "more"

        def proto_more(self, data):
            say("more", data)
            return "done" if data == b"end" else "more"

    p = connected(Mine())
    say(p.state)
    p.dataReceived(b"\x01a\x01b\x02cd")
    say(p.state)
    p.dataReceived(b"\x03end")
    say(p.state)


@scenario
def stateful():
    from twisted.protocols.stateful import StatefulProtocol

    class Mine(StatefulProtocol):
        def getInitialState(self):
            return self.header, 2

        def header(self, data):
            say("header", data)
            return self.body, int(data)

        def body(self, data):
            say("body", data)
            if data == b"end":
                self.transport.loseConnection()
            if data != b"=":
                return self.header, 2

    for cut in 1, 3, 100:
        p = connected(Mine())
        data = b"05hello00031a103end04more"
        for i in range(0, len(data), cut):
            if not p.transport.disconnecting:
                p.dataReceived(data[i : i + cut])
    p = connected(Mine())
    p.dataReceived(b"01==z")


class Consumer:
    """Takes pieces, one for each call of `go_on`."""

    producer = None

    def registerProducer(self, producer, streaming):
        say("registerProducer", streaming)
        self.producer = producer
        producer.resumeProducing()

    def unregisterProducer(self):
        say("unregisterProducer")
        self.producer = None

    def write(self, data):
        say("write", data)

    def go_on(self):
        while self.producer:
            self.producer.resumeProducing()


def sent(sender, file, consumer, transform=None):
    d = sender.beginFileTransfer(file, consumer, transform)
    d.addCallbacks(lambda last: say("sent", last), lambda failure: say("failed", failure.getErrorMessage()))
    return d


@scenario
def files():
    sender = basic.FileSender()
    say(sender.CHUNK_SIZE)
    sender.CHUNK_SIZE = 4
    consumer = Consumer()
    sent(sender, io.BytesIO(b"0123456789"), consumer)
    sender.pauseProducing()
    say("go on")
    consumer.go_on()
    sent(sender, io.BytesIO(b"abcdef"), consumer, lambda data: data.upper() + b"-")
    consumer.go_on()
    sent(sender, io.BytesIO(b""), Consumer())
    sent(sender, io.BytesIO(b"stopped early"), consumer)
    sender.stopProducing()
    sender.stopProducing()


@scenario
def lines():
    class Lines(basic.LineReceiver):
        delimiter = b"\n"
        MAX_LENGTH = 8

        def lineReceived(self, line):
            say("line", line)
            if line == b"raw":
                self.setRawMode()
            elif line == b"clear":
                say("cleared", self.clearLineBuffer())

        def rawDataReceived(self, data):
            say("raw", data)
            at = data.find(b".")
            if at >= 0:
                self.setLineMode(data[at + 1 :])

        def lineLengthExceeded(self, data):
            say("too long", data)
            return basic.LineReceiver.lineLengthExceeded(self, data)

    p = connected(Lines())
    p.dataReceived(b"one\ntwo\nraw\nabc")
    p.dataReceived(b"def.thr")
    p.dataReceived(b"ee\nclear\nfour\nfive")
    p.sendLine(b"out")
    p.dataReceived(b"123456789\nsix\n")
