"""The contenders asyncio and uvloop: asyncio_server.py MODE CERTIFICATE KEY [uvloop] (see ../load.c).
Prints the port."""
import asyncio
import ssl
import sys

mode = sys.argv[1]
uvloop = sys.argv[4:] == ["uvloop"] and __import__("uvloop")
context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
context.load_cert_chain(*sys.argv[2:4])
MESSAGE = b"x" * 1048576


class Base(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport = transport


class Echo(Base):
    def data_received(self, data):
        self.transport.write(data)


class Send(Base):
    def data_received(self, data):
        self.transport.write(MESSAGE)


class Receive(Base):
    got = 0

    def data_received(self, data):
        self.got += len(data)
        if self.got >= len(MESSAGE):
            self.got = 0
            self.transport.write(b"x")


class Accept(Base):
    def data_received(self, data):
        self.transport.write(data)
        self.transport.close()


async def main():
    protocol = {"echo": Echo, "send": Send, "receive": Receive, "accept": Accept}[mode]
    loop = asyncio.get_running_loop()
    server = await loop.create_server(protocol, "127.0.0.1", 0, ssl=context, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.create_future()


if uvloop:
    uvloop.install()
asyncio.run(main())
