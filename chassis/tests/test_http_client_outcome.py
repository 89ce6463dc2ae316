"""What a caller may conclude from a call without an answer, over real sockets."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from chassis.http_client import HttpClient, OutcomeUnknown, Unreachable

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@contextlib.asynccontextmanager
async def listening(serve: Serve) -> AsyncIterator[int]:
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


@contextlib.asynccontextmanager
async def client_of(port: int) -> AsyncIterator[HttpClient]:
    client = HttpClient("upstream", f"http://127.0.0.1:{port}", timeout=1)
    await client.start()
    yield client
    await client.stop()


async def read_and_hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.close()


async def read_and_reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.transport.abort()


@pytest.mark.parametrize("serve", [read_and_hang_up, read_and_reset])
async def test_a_connection_that_breaks_after_the_request_leaves_the_outcome_unknown(serve: Serve) -> None:
    async with listening(serve) as port, client_of(port) as client:
        with pytest.raises(OutcomeUnknown):
            await client.request("POST", "/charges", json={})


async def test_a_refused_connection_shows_that_nothing_was_sent() -> None:
    async with listening(read_and_hang_up) as port:
        pass
    async with client_of(port) as client:
        with pytest.raises(Unreachable):
            await client.request("POST", "/charges", json={})
