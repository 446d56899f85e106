"""The contenders asyncio and uvloop: asyncio_server.py MODE [uvloop] (see ../load.c). Prints the port."""
import asyncio
import os
import sys

mode = sys.argv[1]
uvloop = sys.argv[2:] == ["uvloop"] and __import__("uvloop")
clients = []
buffer = bytearray(65536)


class Base(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport = transport


class Echo(Base):
    def data_received(self, data):
        self.transport.write(data)


class BufferedEcho(asyncio.BufferedProtocol):
    """Asyncio makes room for 256 KiB for each data_received; uvloop is the slower one with this."""

    def connection_made(self, transport):
        self.transport = transport

    def get_buffer(self, _):
        return buffer

    def buffer_updated(self, size):
        self.transport.write(bytes(memoryview(buffer)[:size]))


class Accept(Base):
    def data_received(self, data):
        self.transport.write(data)
        self.transport.close()


class Fanout(Base):
    def connection_made(self, transport):
        self.transport = transport
        clients.append(transport)
        transport.write(b"!")

    def data_received(self, data):
        for client in clients:
            client.write(data)

    def connection_lost(self, _):
        os._exit(0)


class Udp(asyncio.DatagramProtocol):
    def connection_made(self, transport):
        self.transport = transport

    def datagram_received(self, data, addr):
        self.transport.sendto(data, addr)


async def lines(reader, writer):
    count = 0
    while await reader.readline():
        count += 1
    writer.write(b"%d\n" % count)
    await writer.drain()
    writer.close()


async def main():
    loop = asyncio.get_running_loop()
    address = ("127.0.0.1", 0)
    if mode == "udp":
        transport, _ = await loop.create_datagram_endpoint(Udp, address)
        name = transport.get_extra_info("sockname")
    else:
        if mode == "lines":
            server = await asyncio.start_server(lines, *address, backlog=1024)
        else:
            protocols = {"echo": Echo if uvloop else BufferedEcho, "accept": Accept, "fanout": Fanout}
            server = await loop.create_server(protocols[mode], *address, backlog=1024)
        name = server.sockets[0].getsockname()
    print(name[1], flush=True)
    await loop.create_future()


if uvloop:
    uvloop.install()
asyncio.run(main())
