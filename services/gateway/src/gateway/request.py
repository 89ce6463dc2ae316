"""One request as it came in: its head, and its body with a bound on what is held in memory."""

import asyncio
from collections.abc import Callable

from gateway import problems
from gateway.problems import Refusal

HELD = 64 * 1024

Headers = list[tuple[bytes, bytes]]


class ClientGone(Exception):
    """The client closed the connection before its body was whole."""


class Body:
    """The body of a request: a queue of chunks between the connection and whoever reads it.

    `flow(False)` asks the connection to stop reading when more than `HELD` bytes wait here, `flow(True)` to go on.
    """

    __slots__ = ("_chunks", "_error", "_flow", "_waiter", "complete", "held", "received")

    def __init__(self, flow: Callable[[bool], None]) -> None:
        self._chunks: list[bytes] = []
        self._flow = flow
        self._waiter: asyncio.Future[None] | None = None
        self._error: Exception | None = None
        self.complete = False
        self.held = 0
        self.received = 0

    def feed(self, chunk: bytes) -> None:
        """Add what arrived."""
        self._chunks.append(chunk)
        self.held += len(chunk)
        self.received += len(chunk)
        if self.held > HELD:
            self._flow(False)
        self._wake()

    def finish(self) -> None:
        """Nothing more will arrive."""
        self.complete = True
        self._wake()

    def fail(self, error: Exception) -> None:
        """Readers get this error."""
        self._error = error
        self._wake()

    def take(self) -> bytes:
        """All that has arrived and was not taken yet."""
        taken = b"".join(self._chunks)
        self._chunks.clear()
        if self.held > HELD:
            self._flow(True)
        self.held = 0
        return taken

    async def gather(self, limit: int, deadline: float) -> bool:
        """Wait until the body is whole (True) or more than `HELD` bytes of it are here (False).

        Raises `Refusal` when it exceeds `limit` bytes or is not there at `deadline` (time of the loop).
        """
        while not self.complete and self.held <= HELD:
            await self.arrival(limit, deadline)
        self._check(limit)
        return self.complete

    async def arrival(self, limit: int, deadline: float) -> None:
        """Wait for one more chunk, or the end; raises as `gather` does."""
        self._check(limit)
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout_at(deadline):
                await self._waiter
        except TimeoutError as error:
            detail = "The request body did not arrive in time"
            raise Refusal(problems.TOO_SLOW, detail, "slow-body", close=True) from error
        finally:
            self._waiter = None
        self._check(limit)

    def _check(self, limit: int) -> None:
        if self._error is not None:
            raise self._error
        if self.received > limit:
            detail = f"The body may have at most {limit} bytes"
            raise Refusal(problems.TOO_LARGE, detail, "body-limit", close=True)

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


class Request:
    """The head of a request; header names are in lower case. `defect` is what makes it unacceptable in any case."""

    __slots__ = (
        "body",
        "defect",
        "expects_continue",
        "headers",
        "http11",
        "keep_alive",
        "length",
        "method",
        "peer",
        "target",
    )

    def __init__(self, method: bytes, target: bytes, headers: Headers, peer: str, body: Body) -> None:
        self.method = method
        self.target = target
        self.headers = headers
        self.peer = peer
        self.body = body
        self.http11 = True
        self.keep_alive = True
        self.expects_continue = False
        self.length: int | None = None
        self.defect: Refusal | None = None

    def header(self, name: bytes) -> bytes | None:
        """The first value of a header."""
        for key, value in self.headers:
            if key == name:
                return value
        return None
