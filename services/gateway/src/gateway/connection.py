"""HTTP/1.1 in: llhttp parses, this file frames, limits and times; it knows nothing of proxying.

Not granian or uvicorn: see docs/decisions/0003. The handler gets a `Request` and a `Client` to answer; the
target arrives raw, reading and writing stop when the other side is slower, and time limits hold from the first byte.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol, cast

import httptools
import structlog

from gateway import problems
from gateway.client import Client
from gateway.http11 import inspect, malformed, too_large
from gateway.problems import Refusal
from gateway.request import Body, ClientGone, Headers, Request

log = structlog.get_logger(__name__)
Handler = Callable[[Request, Client], Awaitable[None]]

LINGER_SECONDS = 2.0


@dataclass(frozen=True)
class Limits:
    """What a connection may cost."""

    header_bytes: int
    header_seconds: float
    idle_seconds: float


class Keeper(Protocol):
    """Who keeps account of connections: a `Server`. While it is draining, clients are asked to let go."""

    def draining(self) -> bool: ...
    def opened(self, connection: "Connection") -> None: ...
    def closed(self, connection: "Connection") -> None: ...


class Connection(asyncio.Protocol):
    """One client connection; requests on it are answered one after another."""

    def __init__(self, handler: Handler, limits: Limits, keeper: Keeper) -> None:
        self._handler = handler
        self._limits = limits
        self._keeper = keeper
        self._loop = asyncio.get_running_loop()
        self._parser = httptools.HttpRequestParser(self)
        self._waiting: deque[Request] = deque()
        self._active: Request | None = None
        self._parsing: Request | None = None
        self._task: asyncio.Task[None] | None = None
        self._seen = 0
        self._in_head = False
        self._since = self._loop.time()
        self._lingering = False
        self.answered = 0

    # The transport's side.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self._client = Client(self.transport, self._keeper.draining, self._answered)
        peer = transport.get_extra_info("peername")
        self.peer = str(peer[0]) if peer else "local"
        self._keeper.opened(self)

    def connection_lost(self, error: Exception | None) -> None:
        self._keeper.closed(self)
        for request in (self._parsing, self._active):
            if request is not None and not request.body.complete:
                request.body.fail(ClientGone())
        self._waiting.clear()
        if self._task is not None and not self._task.done():
            self._task.cancel()

    def pause_writing(self) -> None:
        if self._client.on_congestion is not None:
            self._client.on_congestion(True)

    def resume_writing(self) -> None:
        if self._client.on_congestion is not None:
            self._client.on_congestion(False)

    def data_received(self, data: bytes) -> None:
        if self._lingering:
            return
        self._seen += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self._unreadable(str(error))
        if not self._in_head:
            self._seen = 0
        elif self._seen > self._limits.header_bytes:
            self._refuse_head()

    # The parser's side.

    def on_message_begin(self) -> None:
        self._since = self._loop.time()
        self._target = b""
        self._headers: Headers = []
        self._in_head = True

    def on_url(self, part: bytes) -> None:
        self._target += part

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._in_head:  # what comes later is a trailer: it must not pass for a header
            self._headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        self._in_head = False
        parser = self._parser
        request = Request(parser.get_method(), self._target, self._headers, self.peer, Body(self._flow))
        request.keep_alive = parser.should_keep_alive()
        version = parser.get_http_version()
        request.http11 = version == "1.1"
        request.defect = too_large() if self._oversized() else inspect(request, version)
        self._parsing = request
        if self._active is None:
            self._dispatch(request)
        else:
            self._waiting.append(request)
            self._flow(False)

    def on_body(self, chunk: bytes) -> None:
        if self._parsing is not None:
            self._parsing.body.feed(chunk)

    def on_message_complete(self) -> None:
        if self._parsing is not None:
            self._parsing.body.finish()
        self._parsing = None

    # Time and shutdown.

    @property
    def idle(self) -> bool:
        """Between two requests."""
        return self._active is None and self._parsing is None and not self._in_head

    def check_time(self, now: float) -> None:
        """Called every quarter of a second."""
        waited = now - self._since
        if self._lingering:
            if waited > LINGER_SECONDS:
                self.transport.abort()
        elif self._active is not None:
            return
        elif self.idle:
            if waited > (self._limits.idle_seconds if self.answered else self._limits.header_seconds):
                self._end()
        elif waited > self._limits.header_seconds:
            self._refuse_now(Refusal(problems.TOO_SLOW, "The request headers did not arrive in time", "slow-headers"))

    def close_if_idle(self) -> None:
        """Close, unless a request is under way."""
        if self.idle:
            self.transport.close()

    # Inside.

    def _flow(self, reading: bool) -> None:
        if not self.transport.is_closing():
            if reading:
                self.transport.resume_reading()
            else:
                self.transport.pause_reading()

    def _dispatch(self, request: Request) -> None:
        self._active = request
        self._task = self._loop.create_task(self._run(request))

    async def _run(self, request: Request) -> None:
        try:
            await self._handler(request, self._client)
        except Exception:
            log.exception("server.bug")
        finally:
            if self._active is request:
                self.transport.abort()

    def _answered(self, request: Request) -> None:
        self._active = None
        self._client.on_congestion = None
        self.answered += 1
        self._since = self._loop.time()
        if not request.keep_alive:
            self._close(whole=request.body.complete)
        elif self._waiting:
            self._dispatch(self._waiting.popleft())
            self._flow(not self._waiting)

    def _close(self, whole: bool) -> None:
        """Close; a client that is still sending would lose the answer to a reset, so its rest is read and dropped."""
        self._waiting.clear()
        if whole or self.transport.is_closing():
            self.transport.close()
            return
        self._lingering = True
        self._since = self._loop.time()
        self.transport.write_eof()
        self._flow(True)

    def _oversized(self) -> bool:
        limit = self._limits.header_bytes
        return self._seen > limit and len(self._target) + sum(len(n) + len(v) + 4 for n, v in self._headers) > limit

    def _end(self) -> None:
        """Close; abort if that was done before and the client does not take what is left to send."""
        if self.transport.is_closing():
            self.transport.abort()
        else:
            self.transport.close()

    def _unreadable(self, reason: str) -> None:
        refusal = malformed(f"The request is not HTTP/1.1: {reason}")
        if self._parsing is not None:
            self._parsing.body.fail(refusal)
            self._parsing.keep_alive = False
        elif self._active is None:
            self._refuse_now(refusal)
        else:
            self._active.keep_alive = False

    def _refuse_head(self) -> None:
        if self._active is None:
            self._refuse_now(too_large())
        else:
            self._active.keep_alive = False

    def _refuse_now(self, refusal: Refusal) -> None:
        """Answer a request that never became one: to the handler it is a request with a defect."""
        request = Request(b"GET", b"", [], self.peer, Body(self._flow))
        request.defect, request.keep_alive = refusal, False
        self._dispatch(request)
