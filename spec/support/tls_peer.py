"""A peer for the specs of TLS: Python's ssl. spec/support/tls_peers.lua starts it, and speaks with it in lines.

    listen  role=echo <tab> cert=good.pem ...     -> its port
    connect port=1234 <tab> role=ask ...          -> its number
    result  1234 (a port, or a connect's number)  -> what came of the next connection that has ended, in one line

Each connection has a thread. TLS goes through byte queues, so that a role decides which bytes the socket gets when.
"""
import queue
import socket
import ssl
import struct
import sys
import threading
import time

LIMIT = 30  # seconds that no connection takes
VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}
results = {}
sessions = {}  # name -> a client's session, for `session=name`


def pattern(n):
    return b"".join(b"%07d\n" % i for i in range(1, n // 8 + 2))[:n]


class Ended(Exception):
    """The peer has cut the connection without a close_notify."""


class Link:
    """TLS over a socket. What is to be sent goes at once, or a byte every `pace` seconds."""

    def __init__(self, sock, context, options, server_side):
        self.sock, self.options, self.pace = sock, options, 0
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.name = None  # that the client asked for
        if server_side:
            context.sni_callback = lambda obj, name, ctx: setattr(self, "name", name)
        self.tls = context.wrap_bio(
            self.incoming, self.outgoing, server_side, None if server_side else options.get("name", "localhost"),
            sessions.get(options.get("session")))

    def transmit(self, data):
        if not self.pace:
            return self.sock.sendall(data)
        for i in range(len(data)):
            self.sock.sendall(data[i:i + 1])
            time.sleep(self.pace)

    def flush(self):
        data = self.outgoing.read()
        if data:
            self.transmit(data)

    def receive(self):
        data = self.sock.recv(65536)
        if data:
            self.incoming.write(data)
        else:
            self.incoming.write_eof()

    def drive(self, f, *args):
        while True:
            try:
                result = f(*args)
                self.flush()
                return result
            except ssl.SSLWantReadError:
                self.flush()
                self.receive()
            except ssl.SSLEOFError as e:
                raise Ended() from e
            except ssl.SSLError:
                self.flush()  # the alert
                raise

    def handshake(self):
        self.drive(self.tls.do_handshake)

    def read(self, n=65536):
        """b"" at a close_notify."""
        try:
            return self.drive(self.tls.read, n)
        except ssl.SSLZeroReturnError:
            return b""

    def line(self):
        data = b""
        while not data.endswith(b"\n"):
            more = self.read(1)
            if not more:
                break
            data += more
        return data

    def all(self):
        parts = []
        while True:
            data = self.read()
            if not data:
                return b"".join(parts)
            parts.append(data)

    def write(self, data):
        while data:
            n = self.drive(self.tls.write, data)
            data = data[n:]

    def finish(self):
        """Sends close_notify, and waits for no answer."""
        try:
            self.tls.unwrap()
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLError as e:
            if e.reason != "APPLICATION_DATA_AFTER_CLOSE_NOTIFY":  # what came before the answer
                raise
        self.flush()

    def reset(self):
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def record(self, data):
        """The bytes of a record, that are not sent yet."""
        self.tls.write(data)
        return self.outgoing.read()

    def describe(self):
        certificate = self.tls.getpeercert() or {}
        subject = dict(pair for part in certificate.get("subject", ()) for pair in part)
        return "%s alpn=%s name=%s reused=%s peer=%s" % (
            self.tls.version(), self.tls.selected_alpn_protocol(), self.name, self.tls.session_reused,
            subject.get("commonName"))


def wait_for_end(sock):
    """Until the peer has closed, without a look at what it sends."""
    while sock.recv(65536):
        pass


# --- what a connection does after the handshake; what it returns is its result ---


def echo(link):
    while True:
        data = link.read()
        if not data:
            link.finish()
            return "closed"
        link.write(data)


def lines(link):
    """Answers each line in capitals; "bye" with the end."""
    while True:
        line = link.line()
        if not line or line == b"bye\n":
            link.finish()
            return "closed" if not line else "bye"
        link.write(line.upper())


def info(link):
    """Says what was agreed on, and then answers lines."""
    link.write(link.describe().encode() + b"\n")
    return lines(link)


def source(link):
    n = int(link.options["size"])
    link.write(pattern(n))
    link.finish()
    try:
        link.all()
    except Ended:
        return "cut"
    return "closed"


def sink(link):
    data = link.all()
    answer = "%d %s" % (len(data), "right" if data == pattern(len(data)) else "wrong")
    link.write(answer.encode())
    link.finish()
    return answer


def ragged(link):
    link.write(b"last words")
    link.sock.close()


def reset(link):
    link.write(b"last words")
    link.read(1)
    link.reset()
    link.sock.close()


def cut(link):
    """Ends in the middle of a record."""
    link.write(b"whole")
    data = link.record(b"x" * 1000)
    link.sock.sendall(data[:500])
    link.sock.close()


def half(link):
    """Has nothing more to say, and listens on."""
    link.write(b"before")
    link.finish()
    return link.all().decode()


def dribble(link):
    link.pace = float(link.options["pace"])
    return lines(link)


def records(link):
    """Sends records of 16 KiB."""
    data = pattern(int(link.options["size"]))
    for i in range(0, len(data), 16384):
        link.write(data[i:i + 16384])
    link.finish()
    return "closed" if link.read() == b"" else "more"


def deaf(link):
    """Never reads, until the other side has had enough: then says what there was."""
    releases.acquire(timeout=LIMIT)
    try:
        data = link.all()
        return "%d bytes, closed" % len(data)
    except Ended:
        return "cut"


def corrupt(link):
    data = bytearray(link.record(b"never seen"))
    data[-1] ^= 1
    link.sock.sendall(data)
    return link.all()


# --- what a connection does instead of a handshake ---


def stall(sock, options):
    """Takes what comes, and says nothing."""
    wait_for_end(sock)
    return "ended"


def answer(sock, options):
    """Sends these bytes when something has come."""
    sock.recv(65536)
    sock.sendall(bytes.fromhex(options["bytes"]))
    wait_for_end(sock)
    return "ended"


def speak(sock, options):
    """Sends these bytes at once."""
    sock.sendall(bytes.fromhex(options["bytes"]))
    data = b""
    while True:
        more = sock.recv(65536)
        if not more:
            return data.hex()
        data += more


def hang_up(sock, options):
    sock.recv(65536)


def hang_up_hard(sock, options):
    sock.recv(1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def part(sock, options):
    """Sends so many bytes of its handshake, and then nothing."""
    link = Link(sock, server_context(options), options, True)
    link.receive()
    try:
        link.tls.do_handshake()
    except ssl.SSLWantReadError:
        pass
    sock.sendall(link.outgoing.read()[:int(options["size"])])
    wait_for_end(sock)
    return "ended"


# --- a client ---


def ask(link):
    link.write(b"hello\n")
    answer = link.line()
    if link.options.get("keep"):
        sessions[link.options["keep"]] = link.tls.session
    what = link.describe() + " answer=" + answer.decode().rstrip()
    link.finish()
    return what


def taker(link):
    """Reads to the end."""
    return str(len(link.all()))


TLS = [echo, lines, info, source, sink, ragged, reset, cut, half, dribble, records, deaf, corrupt, ask, taker]
RAW = [stall, answer, speak, hang_up, hang_up_hard, part]
releases = threading.Semaphore(0)  # each lets one `deaf` go on


def configure(context, options):
    if "version" in options:
        context.minimum_version = context.maximum_version = VERSIONS[options["version"]]
    if "ciphers" in options:
        context.set_ciphers(options["ciphers"])
    if "alpn" in options:
        context.set_alpn_protocols(options["alpn"].split(","))
    if "cert" in options:
        context.load_cert_chain(options["cert"], options["key"])


contexts = {}  # of listeners: what resumes a session must be the one that gave it


def server_context(options):
    key = options["listener"]
    if key not in contexts:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        configure(context, options)
        if "tickets" in options:
            context.num_tickets = int(options["tickets"])
        if "client_ca" in options:
            context.verify_mode = ssl.CERT_OPTIONAL if "optional" in options else ssl.CERT_REQUIRED
            context.load_verify_locations(options["client_ca"])
        contexts[key] = context
    return contexts[key]


client_contexts = {}


def client_context(options):
    key = str(sorted((k, v) for k, v in options.items() if k not in ("port", "role", "keep", "session", "name")))
    if key not in client_contexts:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        configure(context, options)
        if "ca" in options:
            context.load_verify_locations(options["ca"])
        else:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        client_contexts[key] = context
    return client_contexts[key]


def play(sock, options, server_side):
    role = options["role"]
    for f in RAW:
        if f.__name__ == role:
            return f(sock, options)
    if "starttls" in options:  # what the server answers to the line "STARTTLS"
        if server_side:
            line = b""
            while not line.endswith(b"\n"):
                line += sock.recv(1)
            sock.sendall(bytes.fromhex(options["starttls"]))
        else:
            sock.sendall(bytes.fromhex(options["starttls"]))
            if not sock.recv(100).startswith(b"GO"):
                return "refused"
    link = Link(sock, server_context(options) if server_side else client_context(options), options, server_side)
    link.pace = float(options.get("handshake_pace", 0))
    link.handshake()
    link.pace = 0
    return {f.__name__: f for f in TLS}[role](link)


def run(sock, options, server_side, key):
    try:
        sock.settimeout(LIMIT)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        what = play(sock, options, server_side)
    except Ended:
        what = "cut"
    except ssl.SSLError as e:
        what = "SSLError %s" % (e.reason or e)
    except OSError as e:
        what = type(e).__name__
    except Exception as e:  # a fault of this program
        what = "fault: %r" % e
    finally:
        sock.close()
    results[key].put(what)


def start(f, *args):
    threading.Thread(target=f, args=args, daemon=True).start()


def accept(listener, options, key):
    while True:
        sock, _ = listener.accept()
        start(run, sock, options, True, key)


def listen(options):
    listener = socket.socket()
    if "buffer" in options:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, int(options["buffer"]))
    listener.bind(("127.0.0.1", 0))
    listener.listen(100)
    port = listener.getsockname()[1]
    options["listener"] = str(port)
    results[str(port)] = queue.Queue()
    if "cert" in options:
        server_context(options)
    start(accept, listener, options, str(port))
    return port


def connect(options):
    key = "c%d" % len(results)
    results[key] = queue.Queue()
    sock = socket.create_connection(("127.0.0.1", int(options["port"])), LIMIT)
    start(run, sock, options, False, key)
    return key


def main():
    for command in sys.stdin:
        verb, _, rest = command.rstrip("\n").partition("\t")
        if verb == "result":
            try:
                reply = results[rest].get(timeout=LIMIT)
            except queue.Empty:
                reply = "fault: no connection has ended"
        elif verb == "release":
            releases.release()
            reply = "ok"
        else:
            options = dict(pair.split("=", 1) for pair in rest.split("\t") if pair)
            reply = {"listen": listen, "connect": connect}[verb](options)
        print(reply, flush=True)


main()
