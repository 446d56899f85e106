"""The contender Python with blocking calls, one connection at a time: blocking_server.py MODE (see
../load.c). Prints the port."""
import socket
import sys

mode = sys.argv[1]


def echo(conn):
    while data := conn.recv(65536):
        conn.sendall(data)


def accept(conn):
    conn.sendall(conn.recv(1))


def lines(conn):
    count = 0
    with conn.makefile("rb") as file:
        for _ in file:
            count += 1
    conn.sendall(b"%d\n" % count)


if mode == "udp":
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("127.0.0.1", 0))
    print(server.getsockname()[1], flush=True)
    while True:
        data, addr = server.recvfrom(65536)
        server.sendto(data, addr)

server = socket.create_server(("127.0.0.1", 0), backlog=1024)
print(server.getsockname()[1], flush=True)
handler = {"echo": echo, "accept": accept, "lines": lines}[mode]
while True:
    conn, _ = server.accept()
    with conn:
        handler(conn)
