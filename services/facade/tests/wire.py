"""The old shop as bytes, the facade's proxy on a real server before it, and a client that reads bytes."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import uvicorn
from starlette.types import ASGIApp

from facade.legacy_client import LegacyClient


def response(body: bytes, *headers: bytes, status: bytes = b"200 OK", length: bool = True) -> bytes:
    lines = [b"HTTP/1.1 " + status, *headers]
    if length:
        lines.append(b"Content-Length: %d" % len(body))
    return b"\r\n".join([*lines, b"", body])


@dataclass
class RawShop:
    """Answers each request with `answers`, byte for byte, on one connection for as long as the client likes."""

    answers: bytes = b""
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    requests: list[tuple[bytes, bytes]] = field(default_factory=list)
    connections: int = 0
    port: int = 0

    def __post_init__(self) -> None:
        self.gate.set()

    @property
    def head(self) -> bytes:
        return self.requests[-1][0]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                self.requests.append((head, await reader.readexactly(_length(head))))
                await self.gate.wait()
                writer.write(self.answers)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


def _length(head: bytes) -> int:
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    return 0


@asynccontextmanager
async def raw_shop() -> AsyncIterator[RawShop]:
    shop = RawShop()
    server = await asyncio.start_server(shop.serve, "127.0.0.1", 0)
    shop.port = server.sockets[0].getsockname()[1]
    try:
        yield shop
    finally:
        shop.gate.set()
        server.close()


@asynccontextmanager
async def client_of(
    shop: RawShop, seconds: float = 5, connections: int = 8, host: str = "127.0.0.1"
) -> AsyncIterator[LegacyClient]:
    client = LegacyClient("legacy", f"http://{host}:{shop.port}", seconds=seconds, connections=connections)
    await client.start()
    try:
        yield client
    finally:
        await client.stop()


@asynccontextmanager
async def served(app: ASGIApp) -> AsyncIterator[int]:
    """On a port of its own, by the server that the services run on."""
    config = uvicorn.Config(app, http="httptools", lifespan="off", log_config=None, server_header=False)
    server = uvicorn.Server(config)
    listener = socket.create_server(("127.0.0.1", 0))
    task = asyncio.create_task(server.serve([listener]))
    try:
        while not server.started:
            await asyncio.sleep(0.01)
        yield listener.getsockname()[1]
    finally:
        server.should_exit = True
        await task


async def exchange(port: int, request: bytes) -> bytes:
    """Everything that comes back until the server closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    await writer.drain()
    try:
        async with asyncio.timeout(10):
            return await reader.read()
    finally:
        writer.close()
