"""HTTP/1.1 out: one connection to an upstream, on the loop of the server's side.

Not pyreqwest or aiohttp: see docs/decisions/0003. A connection carries one exchange at a time; the answer's head is
awaited, its body is handed on as it arrives, and reading stops when the client is slower.
"""

import asyncio
from collections.abc import Callable
from typing import Protocol, cast

import httptools

HELD = 256 * 1024


class UpstreamError(Exception):
    """The exchange failed."""


class CannotConnect(UpstreamError):
    """No connection, so nothing was sent."""


class ConnectionBroken(UpstreamError):
    """The connection ended before the answer was whole."""


class Response:
    """An answer: `chunks` holds what arrived until `attach` names a sink for the rest."""

    __slots__ = ("_finished", "_sink", "chunks", "complete", "error", "headers", "held", "length", "status")

    def __init__(self) -> None:
        self.status = 0
        self.headers: list[tuple[bytes, bytes]] = []
        self.length: int | None = None
        self.chunks: list[bytes] = []
        self.held = 0
        self.complete = False
        self.error: UpstreamError | None = None
        self._sink: Callable[[bytes], None] | None = None
        self._finished: asyncio.Future[None] | None = None

    def header(self, name: bytes) -> bytes | None:
        """The first value of a header."""
        return next((value for key, value in self.headers if key == name), None)

    def feed(self, chunk: bytes) -> None:
        """Hand on a piece of the body, or hold it."""
        if self._sink is not None:
            self._sink(chunk)
        else:
            self.chunks.append(chunk)
            self.held += len(chunk)

    def end(self, error: UpstreamError | None = None) -> None:
        """The body is whole, or broke off."""
        self.complete, self.error = error is None, error
        if self._finished is not None and not self._finished.done():
            self._finished.set_result(None)

    async def attach(self, sink: Callable[[bytes], None]) -> None:
        """Give `sink` what is held and what arrives; returns at the end of the body, raises if it broke off."""
        for chunk in self.chunks:
            sink(chunk)
        self.chunks.clear()
        self.held = 0
        if not self.complete and self.error is None:
            self._sink = sink
            self._finished = asyncio.get_running_loop().create_future()
            await self._finished
        if self.error is not None:
            raise self.error


class Keeper(Protocol):
    """Where connections go between exchanges: a `Pool`."""

    def keep(self, connection: "UpstreamConnection") -> None: ...
    def dismiss(self, connection: "UpstreamConnection") -> None: ...
    def forget(self, connection: "UpstreamConnection") -> None: ...


class UpstreamConnection(asyncio.Protocol):
    """One connection: one exchange at a time."""

    def __init__(self, keeper: Keeper, loop: asyncio.AbstractEventLoop) -> None:
        self._keeper = keeper
        self._loop = loop  # asking for the running one costs a system call each time
        self._parser = httptools.HttpResponseParser(self)
        self._head: asyncio.Future[Response] | None = None
        self._response: Response | None = None
        self._bodyless = False
        self._in_head = True
        self._sent_whole = True
        self._paused = False
        self._writable: asyncio.Event | None = None
        self.idle_since = 0.0
        self.address = ""
        self.renew_at = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def begin(self, data: bytes, bodyless: bool, whole: bool = True) -> "asyncio.Future[Response]":
        """Send a request; the future ends at the head of the answer. Unless `whole`, the body follows by `write`."""
        self._head = self._loop.create_future()
        self._bodyless = bodyless
        self._sent_whole = whole
        self.transport.write(data)
        return self._head

    async def write(self, data: bytes) -> None:
        """A piece of the request's body; waits while the upstream is slower."""
        if self._writable is not None:
            await self._writable.wait()
        self.transport.write(data)

    def sent(self) -> None:
        """The request's body is whole."""
        self._sent_whole = True

    def expire(self) -> None:
        """The time for the head of the answer is over: whoever awaits it gets `TimeoutError`."""
        if self._head is not None and not self._head.done():
            self._head.set_exception(TimeoutError())

    def congested(self, client_is_slow: bool) -> None:
        """Stop, or go on, reading the answer."""
        if client_is_slow != self._paused and not self.transport.is_closing():
            self._paused = client_is_slow
            (self.transport.pause_reading if client_is_slow else self.transport.resume_reading)()

    def close(self) -> None:
        """Give the exchange up, and the connection with it."""
        self.transport.abort()

    @property
    def usable(self) -> bool:
        """Whether another exchange may begin here."""
        return not self.transport.is_closing()

    # The transport's side.

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self._fail(f"not HTTP: {error}")
        if self._response is not None and self._response.held > HELD:
            self.congested(True)

    def pause_writing(self) -> None:
        self._writable = asyncio.Event()

    def resume_writing(self) -> None:
        if self._writable is not None:
            self._writable.set()
            self._writable = None

    def connection_lost(self, error: Exception | None) -> None:
        self._keeper.forget(self)
        self.resume_writing()
        response = self._response
        ends_by_closing = (
            response is not None and response.length is None and response.header(b"transfer-encoding") is None
        )
        if response is not None and ends_by_closing and error is None:
            self._response = None
            response.end()
        else:
            self._fail(str(error or "the connection was closed"))

    # The parser's side.

    def on_message_begin(self) -> None:
        self._incoming = Response()
        self._in_head = True

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._in_head:
            self._incoming.headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        if status < 200:
            return
        self._in_head = False
        head, self._head = self._head, None
        if head is None or head.done():
            self._fail("an answer to nothing")
            return
        response = self._incoming
        response.status = status
        for name, value in response.headers:
            if name == b"content-length":
                response.length = int(value)
        self._response = response
        head.set_result(response)
        if self._bodyless and status not in (204, 304):
            keep = self._parser.should_keep_alive()
            self._parser = httptools.HttpResponseParser(self)  # the old one would wait for the body of a HEAD
            self._complete(keep)

    def on_body(self, chunk: bytes) -> None:
        if self._response is not None:
            self._response.feed(chunk)

    def on_message_complete(self) -> None:
        self._complete(self._parser.should_keep_alive())

    def _complete(self, keep: bool) -> None:
        response, self._response = self._response, None
        if response is None:
            return
        response.end()
        if not keep:
            self._keeper.dismiss(self)
        if not keep or not self._sent_whole:
            self.transport.close()
        else:
            self._keeper.keep(self)

    def _fail(self, reason: str) -> None:
        head, self._head = self._head, None
        response, self._response = self._response, None
        if head is not None and not head.done():
            head.set_exception(ConnectionBroken(reason))
        if response is not None:
            response.end(ConnectionBroken(reason))
        self.transport.abort()
