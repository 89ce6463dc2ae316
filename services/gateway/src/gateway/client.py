"""The side of a client connection that a handler sees: it answers a request, whole or piece by piece."""

import asyncio
from collections.abc import Callable

from gateway.http11 import CONTINUE, status_line
from gateway.request import Request

COPIED = 8 * 1024
"""Up to this size copying a body behind its head is cheaper than a second buffer."""


class Client:
    """Writes answers. `answered` is told when one is whole; `draining` says whether to ask the client to let go.

    `on_congestion` is called with True when the client is slower than what is sent to it, with False afterwards.
    """

    __slots__ = ("_answered", "_chunked", "_draining", "_transport", "on_congestion")

    def __init__(
        self, transport: asyncio.Transport, draining: Callable[[], bool], answered: Callable[[Request], None]
    ) -> None:
        self._transport = transport
        self._draining = draining
        self._answered = answered
        self._chunked = False
        self.on_congestion: Callable[[bool], None] | None = None

    def proceed(self, request: Request) -> None:
        """The body is wanted: tell a client that waits for this."""
        if request.expects_continue and not request.body.received:
            request.expects_continue = False
            self._transport.write(CONTINUE)

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
        self._transport.write(b"%x\r\n%b\r\n" % (len(chunk), chunk) if self._chunked else chunk)

    def finish(self, request: Request) -> None:
        """The end of a streamed answer."""
        if self._chunked:
            self._transport.write(b"0\r\n\r\n")
        self._answered(request)

    def abort(self) -> None:
        """Cut the connection: the client must see that the answer is not whole."""
        self._transport.abort()

    def _write_head(self, request: Request, status: int, head: bytes, body: bytes) -> None:
        if not request.body.complete or self._draining():
            request.keep_alive = False
        if request.keep_alive:
            tail = b"\r\n" if request.http11 else b"connection: keep-alive\r\n\r\n"
        else:
            tail = b"connection: close\r\n\r\n"
        whole_head = b"%b%b%b" % (status_line(status), head, tail)
        if len(body) < COPIED:
            self._transport.write(whole_head + body)
        else:
            self._transport.writelines((whole_head, body))
