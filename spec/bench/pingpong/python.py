"""The contender Python: python.py tcp|unix ROUNDS. See floor.c."""
import socket
import sys
import time

kind, rounds = sys.argv[1], int(sys.argv[2])
if kind == "tcp":
    listener = socket.create_server(("127.0.0.1", 0))
    a = socket.create_connection(listener.getsockname())
    b, _ = listener.accept()
    a.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
else:
    a, b = socket.socketpair()


def run(n, data=b"0123456789abcdef"):
    send, recv = a.send, b.recv
    for _ in range(n):
        send(data)
        recv(16)


run(rounds // 10)
cpu, wall = time.process_time(), time.monotonic()
run(rounds)
print(time.process_time() - cpu, time.monotonic() - wall)
