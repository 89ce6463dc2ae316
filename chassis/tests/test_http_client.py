"""HTTP out, over real sockets: a limit on the whole exchange, retries only where they are safe, nothing left open."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextvars import copy_context

import pytest
from sample.waiting import until

from chassis import deadlines
from chassis.breaker import Breaker, BreakerOpen, BreakerPolicy
from chassis.http_client import AT_ONCE, HttpClient, OutcomeUnknown, Unreachable, UpstreamFailed
from chassis.retries import RetryPolicy

QUICK = RetryPolicy(attempts=3, first=0.001, cap=0.002)


class Upstream:
    """A server on the loopback interface that answers with what `respond` writes."""

    def __init__(self, respond: Callable[[asyncio.StreamWriter], Awaitable[None]]) -> None:
        self._respond = respond
        self.requests: list[str] = []
        self.connections = self.closed = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                self.requests.append(head.decode())
                await self._respond(writer)
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            self.closed += 1
        finally:
            writer.close()


@contextlib.asynccontextmanager
async def client_of(upstream: Upstream, **options: object) -> AsyncIterator[HttpClient]:
    server = await asyncio.start_server(upstream.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    client = HttpClient("upstream", f"http://127.0.0.1:{port}", **{"timeout": 1.0, "retries": QUICK, **options})  # type: ignore[arg-type]
    await client.start()
    try:
        yield client
    finally:
        await client.stop()
        server.close()


def answer(status: int, headers: str = "") -> Callable[[asyncio.StreamWriter], Awaitable[None]]:
    async def write(writer: asyncio.StreamWriter) -> None:
        writer.write(f"HTTP/1.1 {status} Status\r\nContent-Length: 2\r\n{headers}\r\n{{}}".encode("latin-1"))

    return write


def never_opening() -> Breaker:
    return Breaker("never-opening", BreakerPolicy(consecutive=10**6, minimum=10**6))


async def drip(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
    for _ in range(1000):
        writer.write(b".")
        await writer.drain()
        await asyncio.sleep(0.05)


async def fall_silent(writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(30)


async def test_a_dripping_answer_ends_at_the_limit_and_its_connection_is_closed() -> None:
    upstream = Upstream(drip)
    async with client_of(upstream, timeout=0.4) as client:
        begun = time.monotonic()
        with pytest.raises(OutcomeUnknown):
            await client.request("POST", "/")
        assert 0.35 < time.monotonic() - begun < 1.0, "each chunk came within the read time-out, the whole did not"
        await until(lambda: upstream.closed == 1)


async def test_a_silent_upstream_leaves_the_outcome_unknown() -> None:
    async with client_of(Upstream(fall_silent), timeout=0.1) as client:
        with pytest.raises(OutcomeUnknown):
            await client.request("POST", "/charges", json={"amount": 1})


@pytest.mark.parametrize("status", [500, 502, 503, 504])
async def test_an_answer_that_tells_of_failure_is_a_known_failure(status: int) -> None:
    async with client_of(Upstream(answer(status))) as client:
        with pytest.raises(UpstreamFailed):
            await client.request("POST", "/")


@pytest.mark.parametrize("status", [200, 201, 404, 409, 422, 429])
async def test_every_other_answer_is_the_callers_to_judge(status: int) -> None:
    upstream = Upstream(answer(status))
    async with client_of(upstream) as client:
        assert (await client.request("GET", "/")).status_code == status
    assert len(upstream.requests) == 1


async def test_what_is_safe_to_repeat_is_repeated() -> None:
    upstream = Upstream(answer(503))
    async with client_of(upstream, breaker=never_opening()) as client:
        for options in ({"method": "GET"}, {"method": "POST", "idempotent": True}):
            upstream.requests.clear()
            with pytest.raises(UpstreamFailed):
                await client.request(path="/", **options)
            assert len(upstream.requests) == QUICK.attempts


async def hang_up(writer: asyncio.StreamWriter) -> None:
    writer.close()
    raise ConnectionResetError


@pytest.mark.parametrize("respond", [answer(503), hang_up])
async def test_what_is_not_idempotent_is_never_repeated(
    respond: Callable[[asyncio.StreamWriter], Awaitable[None]],
) -> None:
    upstream = Upstream(respond)
    async with client_of(upstream) as client:
        with pytest.raises((UpstreamFailed, OutcomeUnknown)):
            await client.request("POST", "/charges", json={})
    assert len(upstream.requests) == 1


async def test_500_is_not_repeated_since_the_request_itself_may_be_the_cause() -> None:
    upstream = Upstream(answer(500))
    async with client_of(upstream) as client:
        with pytest.raises(UpstreamFailed):
            await client.request("GET", "/")
    assert len(upstream.requests) == 1


async def test_an_upstream_that_is_down_sees_at_most_a_fifth_more_calls_plus_three() -> None:
    upstream = Upstream(answer(503))
    async with client_of(upstream, breaker=never_opening(), timeout=10.0) as client:

        async def request() -> None:
            with pytest.raises(UpstreamFailed):
                await client.request("GET", "/")

        await asyncio.gather(*(request() for _ in range(100)))
    assert 100 < len(upstream.requests) <= 123


@pytest.mark.parametrize("nonsense", ["soon", "-1", "\u00b2"])
async def test_a_retry_after_that_is_no_number_is_passed_over(nonsense: str) -> None:
    upstream = Upstream(answer(503, f"Retry-After: {nonsense}\r\n"))
    async with client_of(upstream) as client:
        with pytest.raises(UpstreamFailed):
            await client.request("GET", "/")
    assert len(upstream.requests) == 3


async def test_retry_after_is_obeyed() -> None:
    upstream = Upstream(answer(503, "Retry-After: 1\r\n"))
    async with client_of(upstream, retries=RetryPolicy(attempts=2, first=0.001), timeout=5.0) as client:
        begun = time.monotonic()
        with pytest.raises(UpstreamFailed):
            await client.request("GET", "/")
    assert time.monotonic() - begun >= 0.95


async def test_a_failing_upstream_opens_the_breaker_and_a_4xx_does_not() -> None:
    upstream = Upstream(answer(404))
    async with client_of(upstream) as client:
        for _ in range(30):
            await client.request("GET", "/")
        assert client.breaker.state == "closed"
    upstream = Upstream(answer(500))
    async with client_of(upstream) as client:
        for _ in range(5):
            with pytest.raises(UpstreamFailed):
                await client.request("GET", "/")
        with pytest.raises(BreakerOpen):
            await client.request("GET", "/")
    assert len(upstream.requests) == 5


async def test_a_passed_deadline_says_nothing_about_the_upstream() -> None:
    now = 0.0
    breaker = Breaker("half-open", BreakerPolicy(consecutive=1, open_seconds=5), lambda: now)
    upstream = Upstream(answer(500))
    async with client_of(upstream, breaker=breaker) as client:
        with pytest.raises(UpstreamFailed):
            await client.request("GET", "/")
        now = 5.0

        async def too_late() -> None:
            deadlines.begin(-1)
            with pytest.raises(deadlines.DeadlineExceeded):
                await client.request("GET", "/")

        await asyncio.create_task(too_late(), context=copy_context())
        assert breaker.state == "open", "a call that was never made closed the circuit"


async def test_our_own_full_pool_says_nothing_about_the_upstream() -> None:
    begun, release = 0, asyncio.Event()

    async def wait(_: asyncio.StreamWriter) -> None:
        nonlocal begun
        begun += 1
        await release.wait()
        raise ConnectionResetError

    breaker = Breaker("pool", BreakerPolicy(consecutive=1))
    async with client_of(Upstream(wait), breaker=breaker, timeout=5.0) as client:
        busy = [asyncio.create_task(client.request("POST", "/")) for _ in range(AT_ONCE)]
        await until(lambda: begun == AT_ONCE)

        async def one_more() -> None:
            deadlines.begin(0.1)
            with pytest.raises(Unreachable):
                await client.request("POST", "/")

        await asyncio.create_task(one_more(), context=copy_context())
        assert (begun, breaker.state) == (AT_ONCE, "closed")
        release.set()
        await asyncio.gather(*busy, return_exceptions=True)


async def test_connections_are_kept_and_used_again() -> None:
    upstream = Upstream(answer(200))
    async with client_of(upstream) as client:
        for _ in range(5):
            await client.request("GET", "/")
    assert (len(upstream.requests), upstream.connections) == (5, 1)


async def test_a_redirect_is_not_followed() -> None:
    upstream = Upstream(answer(302, "Location: http://elsewhere.test/\r\n"))
    async with client_of(upstream) as client:
        assert (await client.request("GET", "/")).status_code == 302
