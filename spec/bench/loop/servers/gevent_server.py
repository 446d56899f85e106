"""The contender gevent: gevent_server.py MODE (see ../load.c). Prints the port."""
import os
import socket
import sys
from gevent.server import DatagramServer, StreamServer

mode = sys.argv[1]
clients = []


def echo(conn, _):
    while data := conn.recv(65536):
        conn.sendall(data)


def accept(conn, _):
    conn.sendall(conn.recv(1))


def lines(conn, _):
    count = 0
    with conn.makefile("rb") as file:
        for _ in file:
            count += 1
    conn.sendall(b"%d\n" % count)


def fanout(conn, _):
    conn.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    clients.append(conn)
    conn.sendall(b"!")
    try:
        while data := conn.recv(1024):
            for client in clients:
                client.sendall(data)
    finally:
        os._exit(0)


class Udp(DatagramServer):
    def handle(self, data, address):
        self.socket.sendto(data, address)


if mode == "udp":
    server = Udp(("127.0.0.1", 0))
else:
    handler = {"echo": echo, "accept": accept, "lines": lines, "fanout": fanout}[mode]
    server = StreamServer(("127.0.0.1", 0), handler, backlog=1024)
server.start()
print(server.server_port, flush=True)
server.serve_forever()
