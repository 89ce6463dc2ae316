"""HTTP/1.1 in: llhttp parses, this file frames, limits and times; it knows nothing of proxying.

Not granian or uvicorn: see docs/decisions/0003. The handler gets a `Request` and its `Connection` to answer on; the
target arrives raw, reading and writing stop when the other side is slower, and time limits hold from the first byte.
"""

import asyncio
import http
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol, cast

import httptools
import structlog

from gateway import problems
from gateway.problems import Refusal
from gateway.request import Body, ClientGone, Headers, Request, inspect, malformed

log = structlog.get_logger(__name__)
Handler = Callable[[Request, "Connection"], Awaitable[None]]

STATUS_LINE = {s.value: f"HTTP/1.1 {s.value} {s.phrase}\r\n".encode() for s in http.HTTPStatus}
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
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
        self._chunked = False
        self._lingering = False
        self.answered = 0
        self.on_congestion: Callable[[bool], None] | None = None

    # The transport's side.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
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
        if self.on_congestion is not None:
            self.on_congestion(True)

    def resume_writing(self) -> None:
        if self.on_congestion is not None:
            self.on_congestion(False)

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
        request.defect = _too_large() if self._oversized() else inspect(request, version)
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

    # The handler's side.

    def proceed(self, request: Request) -> None:
        """The body is wanted: tell a client that waits for this."""
        if request.expects_continue and not request.body.received:
            request.expects_continue = False
            self.transport.write(CONTINUE)

    def reply(self, request: Request, status: int, head: bytes, body: bytes, framing: bytes | None = None) -> None:
        """A whole answer. `head` is header lines; `framing` replaces a Content-Length by the body's size."""
        if framing is None:
            framing = b"content-length: %d\r\n" % len(body)
        self._write_head(request, status, head + framing, body)
        self._answered(request)

    def start(self, request: Request, status: int, head: bytes, length: int | None) -> None:
        """The head of a streamed answer, chunked unless `length` is known; `send` and `finish` follow."""
        self._chunked = length is None and request.http11
        if length is not None:
            framing = b"content-length: %d\r\n" % length
        elif self._chunked:
            framing = b"transfer-encoding: chunked\r\n"
        else:
            framing = b""
            request.keep_alive = False
        self._write_head(request, status, head + framing, b"")

    def send(self, chunk: bytes) -> None:
        """One piece of a streamed answer."""
        self.transport.write(b"%x\r\n%b\r\n" % (len(chunk), chunk) if self._chunked else chunk)

    def finish(self, request: Request) -> None:
        """The end of a streamed answer."""
        if self._chunked:
            self.transport.write(b"0\r\n\r\n")
        self._answered(request)

    def abort(self) -> None:
        """Cut the connection: the client must see that the answer is not whole."""
        self.transport.abort()

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
                self.transport.close()
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
            await self._handler(request, self)
        except Exception:
            log.exception("server.bug")
        finally:
            if self._active is request:
                self.transport.abort()

    def _write_head(self, request: Request, status: int, head: bytes, body: bytes) -> None:
        if not request.body.complete or self._keeper.draining():
            request.keep_alive = False
        if request.keep_alive:
            tail = b"\r\n" if request.http11 else b"connection: keep-alive\r\n\r\n"
        else:
            tail = b"connection: close\r\n\r\n"
        self.transport.write(b"%b%b%b%b" % (status_line(status), head, tail, body))

    def _answered(self, request: Request) -> None:
        self._active = None
        self.on_congestion = None
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
            self._refuse_now(_too_large())
        else:
            self._active.keep_alive = False

    def _refuse_now(self, refusal: Refusal) -> None:
        """Answer a request that never became one: to the handler it is a request with a defect."""
        request = Request(b"GET", b"", [], self.peer, Body(self._flow))
        request.defect, request.keep_alive = refusal, False
        self._dispatch(request)


def status_line(status: int) -> bytes:
    """The first line of an answer."""
    return STATUS_LINE.get(status) or b"HTTP/1.1 %d Unknown\r\n" % status


def _too_large() -> Refusal:
    detail = "Request line and headers are larger than is accepted"
    return Refusal(problems.HEADER_TOO_LARGE, detail, "header-limit", close=True)
