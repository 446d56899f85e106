"""The client http.client: http_client.py PORT TASKS COUNT. A connection in each thread; prints what csock.lua prints."""
import http.client
import sys
import threading
import time

port, tasks, count = map(int, sys.argv[1:])
connections = [http.client.HTTPConnection("127.0.0.1", port) for _ in range(tasks)]


def work(connection, total):
    for _ in range(total):
        connection.request("GET", "/")
        answer = connection.getresponse()
        if answer.status != 200 or len(answer.read()) != 1024:
            raise RuntimeError("no answer")


def run(total):
    threads = [threading.Thread(target=work, args=(c, total // tasks)) for c in connections]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


run(count // 10)
cpu, now = time.process_time(), time.monotonic()
run(count)
cpu, now = time.process_time() - cpu, time.monotonic() - now
print(cpu / count * 1e6, count / now)
