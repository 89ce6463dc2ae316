"""The kept-alive connections to one upstream."""

import asyncio
from collections import deque

from gateway.upstream import CannotConnect, UpstreamConnection

IDLE_SECONDS = 3.0  # shorter than the services' 5 s: the upstream must never be the one that closes first
CONNECT_SECONDS = 2.0


class Pool:
    """Connections to one upstream, the most recently used first."""

    def __init__(self, host: str, port: int) -> None:
        self.host, self.port = host, port
        self.authority = f"{host}:{port}".encode()
        self._idle: deque[UpstreamConnection] = deque()
        self._loop = asyncio.get_running_loop()

    def idle(self) -> UpstreamConnection | None:
        """A connection that is at hand and still good."""
        horizon = self._loop.time() - IDLE_SECONDS
        while self._idle:
            connection = self._idle.pop()
            if connection.usable and connection.idle_since > horizon:
                return connection
            connection.transport.close()
        return None

    async def connect(self) -> UpstreamConnection:
        """A new connection; raises `CannotConnect`."""
        loop = self._loop
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                _, made = await loop.create_connection(lambda: UpstreamConnection(self, loop), self.host, self.port)
        except (OSError, TimeoutError) as error:
            raise CannotConnect(f"{self.host}:{self.port}: {error or 'no answer in time'}") from error
        return made

    async def get(self, path: str) -> tuple[int, bytes]:
        """Status and body of a GET, for the gateway's own needs; the caller sets the time limit."""
        connection = self.idle() or await self.connect()
        chunks: list[bytes] = []
        try:
            request = b"GET %b HTTP/1.1\r\nhost: %b\r\n\r\n" % (path.encode(), self.authority)
            response = await connection.begin(request, bodyless=False)
            connection.congested(False)
            await response.attach(chunks.append)
        except BaseException:
            connection.close()
            raise
        return response.status, b"".join(chunks)

    def keep(self, connection: UpstreamConnection) -> None:
        """Take a connection back after an exchange."""
        if connection.usable:
            connection.congested(False)
            connection.idle_since = self._loop.time()
            self._idle.append(connection)

    def forget(self, connection: UpstreamConnection) -> None:
        """A connection that was lost."""
        if connection in self._idle:
            self._idle.remove(connection)

    def sweep(self) -> None:
        """Close what has been idle for too long."""
        horizon = self._loop.time() - IDLE_SECONDS
        while self._idle and self._idle[0].idle_since < horizon:
            self._idle.popleft().transport.close()

    def close(self) -> None:
        """Close what is idle."""
        while self._idle:
            self._idle.popleft().transport.close()
