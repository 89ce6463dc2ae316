"""HTTP out: httpx's API over aiohttp's pool, since httpx's own pool is some ten times slower under concurrency.

No call without a time limit on the whole exchange (httpx's read time-out is per chunk), none begun after the caller's
deadline, every call under a breaker, and retries only where a second call cannot do harm.
"""

import asyncio
import contextlib
import random
import socket
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

import aiohttp
import httpx
from aiohttp import ThreadedResolver
from aiohttp.abc import AbstractResolver, ResolveResult
from httpx_aiohttp import AiohttpTransport
from opentelemetry.trace import SpanKind

from chassis import deadlines
from chassis.breaker import Breaker
from chassis.errors import DependencyUnavailable
from chassis.lifecycle import CLIENT_IDLE_SECONDS
from chassis.retries import Retryable, RetryBudget, RetryPolicy, retry
from chassis.telemetry import span, traceparent

FAILURE_STATUS = frozenset({500, 502, 503, 504})
RETRY_STATUS = frozenset({502, 503, 504})
AT_ONCE = 50
# Replicas come and go behind a name: an answer of DNS is good for a second, an address that is silent gets company
# after a fifth of one, and all connections are made anew now and then, or those in steady use would keep to theirs.
ADDRESSES_SECONDS, EACH_SECONDS, RENEW_SECONDS = 1, 0.2, 10.0


class UpstreamFailed(DependencyUnavailable):
    """The upstream answered that it failed, or could not be reached: nothing is known to have happened."""


class Unreachable(UpstreamFailed):
    """No connection was made: the request was certainly not sent."""


class OutcomeUnknown(DependencyUnavailable):
    """The request was sent and no answer came: it may or may not have taken effect."""


class HttpClient:
    """One upstream. `headers` is asked at each request for what goes with all of them.

    `transport` and `resolver` are seams for tests.
    """

    def __init__(
        self,
        name: str,
        base_url: str,
        *,
        timeout: float,
        breaker: Breaker | None = None,
        retries: RetryPolicy | None = None,
        headers: Callable[[], Mapping[str, str]] | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
        resolver: AbstractResolver | None = None,
        renew_seconds: float = RENEW_SECONDS,
    ) -> None:
        self.name = name
        self.breaker = breaker or Breaker(name)
        self._base_url = base_url
        self._timeout = timeout
        self._policy = retries or RetryPolicy()
        self._once = RetryPolicy(attempts=1)
        self._budget = RetryBudget()
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._headers = headers or dict
        self._transport = transport
        self._resolver = resolver
        self._renew_seconds = renew_seconds
        self._client: httpx.AsyncClient | None = None

    async def start(self) -> None:
        self._client = httpx.AsyncClient(
            base_url=self._base_url,
            # Half for the connection: one that is not made by then is known to have carried nothing.
            timeout=httpx.Timeout(self._timeout, connect=self._timeout / 2),
            transport=self._transport or self._pool(),
            follow_redirects=False,
            trust_env=False,
        )

    def _pool(self) -> "_Transport":
        return _Transport(self._resolver or ThreadedResolver(), max(self._renew_seconds, 2 * self._timeout))

    async def stop(self) -> None:
        if self._client is not None:
            await self._client.aclose()

    async def request(
        self,
        method: str,
        path: str,
        *,
        idempotent: bool | None = None,
        params: Any = None,
        json: Any = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        """The answer, whatever its status below 500. Retries when `idempotent` (default: GET and HEAD are).

        Raises `UpstreamFailed` (of which `Unreachable` is one), `OutcomeUnknown`, `BreakerOpen`, `DeadlineExceeded`.
        """
        may_repeat = method in ("GET", "HEAD") if idempotent is None else idempotent

        async def attempt() -> httpx.Response:
            async with self._slot():
                left = deadlines.remaining(self._timeout)
                return await self.breaker.call(lambda: self._send(left, method, path, params, json, headers), _FAILURES)

        return await retry(attempt, self._policy if may_repeat else self._once, self._budget)

    @contextlib.asynccontextmanager
    async def _slot(self) -> AsyncIterator[None]:
        # Before the breaker, and not left to the pool: that we make too many calls at once says nothing about the
        # upstream, and the pool's error cannot be told from that of a connection that could not be made.
        try:
            async with asyncio.timeout(deadlines.remaining(self._timeout)):
                await self._slots.acquire()
        except TimeoutError:
            raise Unreachable(f"too many calls to {self.name} at once") from None
        try:
            yield
        finally:
            self._slots.release()

    async def _send(
        self, left: float, method: str, path: str, params: Any, json: Any, headers: Mapping[str, str] | None
    ) -> httpx.Response:
        assert self._client is not None, "start() comes first"  # noqa: S101 - a bug in the composition, not input
        attributes = {"http.request.method": method, "server.address": self.name}
        with span(method, SpanKind.CLIENT, attributes):
            passed_on = {**self._headers(), deadlines.HEADER: str(int(left * 1000)), **(headers or {})}
            if (parent := traceparent()) is not None:
                passed_on["traceparent"] = parent
            try:
                async with asyncio.timeout(left):
                    answer = await self._client.request(method, path, params=params, json=json, headers=passed_on)
            except (TimeoutError, httpx.TransportError) as error:
                if _unsent(error):
                    raise Retryable(Unreachable(f"{self.name} cannot be reached")) from error
                raise _Lost(OutcomeUnknown(f"{self.name} did not answer: {type(error).__name__}")) from error
        return self._judge(answer)

    def _judge(self, answer: httpx.Response) -> httpx.Response:
        if answer.status_code not in FAILURE_STATUS:
            return answer
        failure = UpstreamFailed(f"{self.name} answered {answer.status_code}")
        if answer.status_code in RETRY_STATUS:
            raise Retryable(failure, _retry_after(answer))
        raise failure


class _Transport(AiohttpTransport):
    """With a connector for several replicas behind one name."""

    def __init__(self, resolver: AbstractResolver, renew_seconds: float) -> None:
        super().__init__(trust_env=False)
        self._resolver = resolver
        self._renew_seconds = renew_seconds
        self._renew_at = 0.0
        self._sessions: deque[aiohttp.ClientSession] = deque()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        now = time.monotonic()
        if now >= self._renew_at:
            self._renew_at = now + self._renew_seconds
            await self._renew()
        return await super().handle_async_request(request)

    async def _renew(self) -> None:
        """Calls begin in a new session; the one before finishes its own, and that before it has none left."""
        self.client = self.get_client()
        self._sessions.append(self.client)
        while len(self._sessions) > 2:
            await self._sessions.popleft().close()

    async def aclose(self) -> None:
        for session in self._sessions:
            await session.close()

    def get_client(self) -> aiohttp.ClientSession:
        connector = aiohttp.TCPConnector(
            ssl=self.ssl_context,
            limit=AT_ONCE,
            keepalive_timeout=CLIENT_IDLE_SECONDS,
            ttl_dns_cache=ADDRESSES_SECONDS,
            happy_eyeballs_delay=EACH_SECONDS,
            resolver=_Shuffled(self._resolver),
        )
        return aiohttp.ClientSession(connector=connector)


class _Shuffled(AbstractResolver):
    """The system sorts addresses by nearness: left so, all connections would go to one replica."""

    def __init__(self, resolver: AbstractResolver) -> None:
        self._resolver = resolver

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = await self._resolver.resolve(host, port, family)
        random.shuffle(found)
        return found

    async def close(self) -> None:
        await self._resolver.close()


class _Lost(Retryable):
    """No answer: an idempotent request may be sent again, like every other `Retryable`."""


_FAILURES = (Retryable, UpstreamFailed)


def _unsent(error: Exception) -> bool:
    # httpx-aiohttp calls every lost connection a ConnectTimeout, also one that broke after the request was sent.
    if isinstance(error.__cause__, aiohttp.ClientConnectionError):
        return isinstance(error.__cause__, (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError))
    return isinstance(error, (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout))


def _retry_after(answer: httpx.Response) -> float | None:
    value = answer.headers.get("retry-after", "")
    return float(value) if value.isascii() and value.isdecimal() else None
