"""Several replicas behind one name: connections are spread, dead addresses cost little, leaving ones are left."""

import asyncio
import contextlib
import socket
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence

import pytest

from chassis.lifecycle import CLIENT_IDLE_SECONDS
from chassis.settings import ServiceSettings
from gateway.pool import CONNECT_SECONDS, EACH_SECONDS, Pool
from gateway.upstream import CannotConnect, UpstreamConnection
from services.gateway.tests.fakes import OK, Upstream, answering, eventually

A, B, C = "127.0.0.1", "127.0.0.2", "127.0.0.3"
CLOSING = OK.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has 127.0.0.2 without asking")


class Replicas:
    """An upstream at each address that a test starts, all at one port; `known` is what DNS says."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.known: list[str] = [A, B, C]
        self.at: dict[str, Upstream] = {}
        self.pool = Pool("replicas", port, self.lookup)

    async def lookup(self, _: str, __: int) -> Sequence[str]:
        return self.known

    async def start(self, *addresses: str) -> None:
        for address in addresses:
            self.at[address] = Upstream()
            await self.at[address].start(address, self.port)

    async def exchange(self) -> UpstreamConnection:
        """One request, on the connection that the pool gives."""
        connection = self.pool.idle() or await self.pool.connect()
        response = await connection.begin(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n", bodyless=False)
        await response.attach(lambda _: None)
        return connection

    async def connected(self, times: int) -> Counter[str]:
        """To how many of so many new connections each address came."""
        made = [await self.pool.connect() for _ in range(times)]
        for connection in made:
            connection.close()
        return Counter(connection.address for connection in made)


@pytest.fixture
async def replicas(unused_tcp_port: int) -> AsyncIterator[Replicas]:
    made = Replicas(unused_tcp_port)
    yield made
    made.pool.close()
    for upstream in made.at.values():
        await upstream.stop()


@contextlib.contextmanager
def swallowing(address: str, port: int) -> Iterator[None]:
    """An address where packets vanish: a listener whose queue is full answers no more."""
    with socket.socket() as listener, contextlib.ExitStack() as stack:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((address, port))
        listener.listen(0)
        for _ in range(3):
            client = stack.enter_context(socket.socket())
            client.setblocking(False)
            client.connect_ex((address, port))
        yield


async def test_new_connections_are_spread_over_all_replicas(replicas: Replicas) -> None:
    await replicas.start(A, B, C)
    spread = await replicas.connected(90)
    assert min(spread[address] for address in (A, B, C)) > 10, spread


async def test_a_replica_that_refuses_fails_nothing(replicas: Replicas) -> None:
    await replicas.start(A, C)
    assert set(await replicas.connected(60)) == {A, C}


async def test_an_address_that_swallows_packets_costs_a_moment_once(replicas: Replicas) -> None:
    await replicas.start(A)
    replicas.known = [A, B]
    loop = asyncio.get_running_loop()
    with swallowing(B, replicas.port):
        begun = loop.time()
        assert await replicas.connected(50) == {A: 50}
        assert loop.time() - begun < 10 * EACH_SECONDS, "and not for every second connection anew"


async def test_one_that_was_slow_is_asked_again_when_the_other_refuses(replicas: Replicas) -> None:
    replicas.known = [A, B]
    with swallowing(A, replicas.port):
        connecting = asyncio.gather(*(replicas.pool.connect() for _ in range(8)))
        await asyncio.sleep(1.5 * EACH_SECONDS)
    await replicas.start(A)
    for connection in await connecting:
        assert connection.address == A
        connection.close()


async def test_when_nobody_answers_the_limit_is_that_of_all_together(replicas: Replicas) -> None:
    loop = asyncio.get_running_loop()
    with swallowing(A, replicas.port), swallowing(B, replicas.port), swallowing(C, replicas.port):
        begun = loop.time()
        with pytest.raises(CannotConnect):
            await replicas.pool.connect()
        assert CONNECT_SECONDS <= loop.time() - begun < CONNECT_SECONDS + 1


@pytest.mark.parametrize("failure", [[], OSError("no such name")], ids=["no-address", "no-name"])
async def test_a_name_without_an_address_is_a_failed_connection(
    replicas: Replicas, failure: list[str] | OSError
) -> None:
    async def lookup(_: str, __: int) -> list[str]:
        if isinstance(failure, OSError):
            raise failure
        return failure

    with pytest.raises(CannotConnect):
        await Pool("nobody", replicas.port, lookup).connect()


async def test_a_replica_that_asks_to_close_gets_no_new_connection_while_there_is_another(replicas: Replicas) -> None:
    await replicas.start(A)
    replicas.known = [A]  # B, were it asked before it listens, would be avoided as well
    replicas.at[A].script = answering(CLOSING)
    await replicas.exchange()
    await replicas.start(B)
    replicas.known = [A, B]
    assert await replicas.connected(8) == {B: 8}
    replicas.known = [A]
    assert await replicas.connected(1) == {A: 1}, "better one that is leaving than none"


async def test_a_connection_is_renewed_so_that_a_new_replica_gets_its_share(replicas: Replicas) -> None:
    await replicas.start(A, B)
    replicas.known = [A]
    connection = await replicas.exchange()
    assert await replicas.exchange() is connection
    replicas.known = [B]
    connection.renew_at = 0.0
    assert await replicas.exchange() is connection
    assert (await replicas.exchange()).address == B
    await eventually(connection.transport.is_closing)


async def test_a_connection_that_was_idle_for_half_a_drain_is_not_used_again(replicas: Replicas) -> None:
    await replicas.start(A)
    replicas.known = [A]
    connection = await replicas.exchange()
    idle = asyncio.get_running_loop().time() + CLIENT_IDLE_SECONDS
    await eventually(lambda: asyncio.get_running_loop().time() > idle)
    assert connection.usable, "nobody has closed it yet"
    assert await replicas.exchange() is not connection


def test_a_drain_is_longer_than_connections_are_kept() -> None:
    assert float(ServiceSettings.model_fields["drain_seconds"].default) >= 2 * CLIENT_IDLE_SECONDS
