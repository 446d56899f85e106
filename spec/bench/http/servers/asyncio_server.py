"""The contenders asyncio and uvloop: asyncio_server.py MODE DIRECTORY [uvloop] (see ../load.c). Prints the port.
The least that answers as the others do: no checks beyond what is needed to find the end of a request."""
import asyncio
import sys
import time

uvloop = sys.argv[3:] == ["uvloop"] and __import__("uvloop")
BODY = b"x" * 1024
second, date = None, None


def today():
    global second, date
    now = int(time.time())
    if now != second:
        second, date = now, time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(now)).encode()
    return date


class Request:
    __slots__ = ("method", "target", "version", "headers")

    def __init__(self, head):
        lines = head.decode("latin-1").split("\r\n")
        self.method, self.target, self.version = lines[0].split(" ")
        self.headers = headers = {}
        for line in lines[1:]:
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()


def handle(request):
    return 200, b"text/plain", BODY


class Http(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport = transport
        self.rest = b""

    def data_received(self, data):
        data = self.rest + data if self.rest else data
        answers, at = [], 0
        while (end := data.find(b"\r\n\r\n", at)) >= 0:
            request = Request(data[at:end])
            at = end + 4
            status, kind, body = handle(request)
            answers.append(
                b"HTTP/1.1 %d OK\r\nServer: asyncio\r\nDate: %s\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n%s"
                % (status, today(), kind, len(body), body)
            )
            if request.headers.get("connection") == "close":
                self.transport.close()
        self.rest = data[at:]
        if answers:
            self.transport.write(answers[0] if len(answers) == 1 else b"".join(answers))


async def main():
    server = await asyncio.get_running_loop().create_server(Http, "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if uvloop:
    uvloop.install()
asyncio.run(main())
