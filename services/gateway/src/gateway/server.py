"""The listening socket, its connections, and the order in which they end."""

import asyncio
import contextlib
from collections.abc import Callable
from typing import cast

import structlog

from chassis.lifecycle import close_door
from gateway import problems
from gateway.connection import Connection, Handler, Limits
from gateway.http11 import status_line
from gateway.problems import Refusal
from gateway.settings import Settings

log = structlog.get_logger(__name__)


class Server:
    """The listening socket and its connections: a part of the lifecycle that brings in work."""

    name = "server"

    def __init__(
        self, handler: Handler, limits: Limits, settings: Settings, draining: Callable[[], bool] = lambda: False
    ) -> None:
        self._handler = handler
        self._limits = limits
        self._host, self._port = settings.host, settings.port
        self._max_connections = settings.max_connections
        self._grace = settings.grace_seconds
        self.draining = draining
        self._listener: asyncio.Server | None = None
        self._empty = asyncio.Event()
        self.connections: set[Connection] = set()

    @property
    def port(self) -> int:
        """The port in use; of interest when the system chose it."""
        assert self._listener is not None, "start() comes first"  # noqa: S101 - a bug in the composition, not input
        return int(self._listener.sockets[0].getsockname()[1])

    async def start(self) -> None:
        loop = asyncio.get_running_loop()
        self._listener = await loop.create_server(self._accept, self._host, self._port, backlog=1024)
        log.info("server.listening", host=self._host, port=self.port)

    async def stop(self) -> None:
        """Accept no more, let what is under way finish, for at most the period of grace."""
        if self._listener is not None:
            await close_door(self._listener, self._accept)
        for connection in list(self.connections):
            connection.close_if_idle()
        if self.connections:
            self._empty.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._grace):
                    await self._empty.wait()
        for connection in list(self.connections):
            log.warning("server.cut", peer=connection.peer)
            connection.transport.abort()

    async def sweep(self) -> None:
        """Enforce the time limits; to be called several times a second."""
        now = asyncio.get_running_loop().time()
        for connection in list(self.connections):
            connection.check_time(now)

    def opened(self, connection: Connection) -> None:
        """A connection that was accepted."""
        self.connections.add(connection)

    def closed(self, connection: Connection) -> None:
        """A connection that is gone."""
        self.connections.discard(connection)
        if not self.connections:
            self._empty.set()

    def _accept(self) -> asyncio.Protocol:
        if len(self.connections) >= self._max_connections:
            return _Full()
        return Connection(self._handler, self._limits, self)


class _Full(asyncio.Protocol):
    """Turns a connection away; the answer is fixed, for here every byte of work is one too many."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        refusal = Refusal(problems.UNAVAILABLE, "Too many connections", "max-connections")
        body = refusal.body(None, None)
        head = b"content-type: application/problem+json\r\nretry-after: 1\r\nconnection: close\r\n"
        answer = b"%b%bcontent-length: %d\r\n\r\n%b" % (status_line(503), head, len(body), body)
        cast("asyncio.Transport", transport).write(answer)
        transport.close()
