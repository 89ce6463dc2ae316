"""What the steady load's client does about a replica that has gone, and what it must not do."""

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager

import pytest
from pyreqwest.exceptions import PyreqwestError

from tests.traffic.api import Request
from tests.traffic.balancer import Balancer

GOOD, GONE = "127.0.0.1", "127.0.0.9"
PLACE = Request("place", "POST", "/api/orders", body={})
ANSWER = b"HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n"


@asynccontextmanager
async def _replica(answer: bytes) -> AsyncIterator[tuple[int, list[bytes]]]:
    """Its port, and the requests that reach it; without an answer it closes the connection."""
    requests: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                requests.append(await reader.readuntil(b"\r\n\r\n") + await reader.readexactly(2))
                if not answer:
                    break
                writer.write(answer)
        except asyncio.IncompleteReadError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, GOOD, 0)
    async with server:
        yield server.sockets[0].getsockname()[1], requests


async def _both(_: str) -> Collection[str]:
    return (GOOD, GONE)


async def test_a_refused_connection_moves_the_request_to_another_replica() -> None:
    async with _replica(ANSWER) as (port, requests), Balancer(f"http://shop:{port}", _both) as balancer:
        answers = [await balancer.send(PLACE) for _ in range(4)]
    assert [answer.status for answer in answers] == [202] * 4
    assert (len(requests), balancer.sent[GOOD], balancer.refused[GONE]) == (4, 4, 2)


async def test_a_request_that_was_sent_and_not_answered_is_lost_and_not_sent_again() -> None:
    async with _replica(b"") as (port, requests), Balancer(f"http://shop:{port}", _both) as balancer:
        with pytest.raises(PyreqwestError):
            await balancer.send(PLACE)
    assert (len(requests), balancer.refused[GONE]) == (1, 0)
