"""Several replicas behind one name, over real sockets: calls are spread, and new replicas get theirs."""

import asyncio
import contextlib
import socket
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult
from sample.waiting import until

from chassis.http_client import HttpClient, Unreachable
from chassis.lifecycle import CLIENT_IDLE_SECONDS

A, B, C = "127.0.0.1", "127.0.0.2", "127.0.0.3"

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has 127.0.0.2 without asking")


class Replicas(AbstractResolver):
    """Servers at several addresses and one port; `known` is what DNS says. Each counts what it is asked."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.known = [A, B, C]
        self.asked: Counter[str] = Counter()
        self.connections = 0
        self.answers_after = 0.0
        self._servers: list[asyncio.Server] = []

    async def start(self, *addresses: str) -> None:
        for address in addresses:
            self._servers.append(await asyncio.start_server(self._serve, address, self.port))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                await reader.readuntil(b"\r\n\r\n")
                self.asked[writer.get_extra_info("sockname")[0]] += 1
                await asyncio.sleep(self.answers_after)
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
        writer.close()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        return [
            ResolveResult(hostname=host, host=address, port=port, family=family, proto=0, flags=0)
            for address in self.known
        ]

    async def close(self) -> None:
        for server in self._servers:
            server.close()

    @contextlib.asynccontextmanager
    async def client(self, renew_seconds: float = 10, timeout: float = 0.5) -> AsyncIterator[HttpClient]:
        url = f"http://replicas:{self.port}"
        client = HttpClient("replicas", url, timeout=timeout, resolver=self, renew_seconds=renew_seconds)
        await client.start()
        yield client
        await client.stop()


@contextlib.contextmanager
def silent(address: str, port: int) -> Iterator[None]:
    """An address where packets vanish: the queue of the listener is full."""
    with socket.socket() as listener, contextlib.ExitStack() as stack:
        listener.bind((address, port))
        listener.listen(0)
        for _ in range(3):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex((address, port))
        yield


@pytest.fixture
async def replicas(unused_tcp_port: int) -> AsyncIterator[Replicas]:
    made = Replicas(unused_tcp_port)
    yield made
    await made.close()


async def test_new_connections_are_spread_over_all_replicas(replicas: Replicas) -> None:
    await replicas.start(A, B, C)
    for _ in range(60):  # that one of three is left out is one case in ten thousand million
        async with replicas.client() as client:
            await client.request("POST", "/")
    assert min(replicas.asked[address] for address in (A, B, C)) >= 1, replicas.asked


async def test_a_replica_that_refuses_fails_nothing(replicas: Replicas) -> None:
    await replicas.start(B)
    for _ in range(10):
        async with replicas.client() as client:
            await client.request("POST", "/")
    assert replicas.asked == {B: 10}


async def test_where_nobody_answers_a_request_is_known_to_be_unsent(replicas: Replicas) -> None:
    replicas.known = [A]
    with silent(A, replicas.port):
        async with replicas.client() as client:
            with pytest.raises(Unreachable):
                await client.request("POST", "/")


async def test_an_address_that_swallows_packets_costs_a_moment(replicas: Replicas) -> None:
    await replicas.start(A)
    replicas.known = [B, A]
    with silent(B, replicas.port):
        begun = time.monotonic()
        for _ in range(5):
            async with replicas.client() as client:
                await client.request("POST", "/")
    assert time.monotonic() - begun < 2.5
    assert replicas.asked == {A: 5}


async def test_a_new_replica_gets_calls_although_the_old_connections_are_never_idle(replicas: Replicas) -> None:
    await replicas.start(A, B, C)
    replicas.known = [A]
    async with replicas.client(renew_seconds=1) as client:

        async def asked(address: str) -> bool:
            await asyncio.gather(*(client.request("POST", "/") for _ in range(4)))
            return replicas.asked[address] > 0

        await until(lambda: asked(A))
        replicas.known = [B, C]
        await until(lambda: asked(B), seconds=15)
        await until(lambda: asked(C), seconds=15)
        assert replicas.connections < sum(replicas.asked.values()) / 2, "most calls find a connection at hand"


async def test_a_call_outlives_the_renewals_of_its_time_limit(replicas: Replicas) -> None:
    """A renewal closes what is two renewals old: were they quicker than the calls, those would be cut off."""
    await replicas.start(A)
    replicas.known, replicas.answers_after = [A], 0.4
    async with replicas.client(renew_seconds=0.05, timeout=1) as client, asyncio.TaskGroup() as calls:
        for _ in range(15):
            calls.create_task(client.request("POST", "/"))
            await asyncio.sleep(0.06)
    assert replicas.asked == {A: 15}


async def test_a_connection_that_was_idle_for_half_a_drain_is_not_used_again(replicas: Replicas) -> None:
    await replicas.start(A)
    replicas.known = [A]
    async with replicas.client() as client:
        await client.request("POST", "/")
        await client.request("POST", "/")
        assert replicas.connections == 1
        idle = time.monotonic() + CLIENT_IDLE_SECONDS
        await until(lambda: time.monotonic() > idle)
        await client.request("POST", "/")
        assert replicas.connections == 2
