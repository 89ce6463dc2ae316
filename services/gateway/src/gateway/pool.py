"""The kept-alive connections to one upstream."""

import asyncio
import random
from collections import deque

from chassis.lifecycle import CLIENT_IDLE_SECONDS
from gateway.addresses import Addresses, Lookup
from gateway.upstream import CannotConnect, UpstreamConnection

CONNECT_SECONDS = 2.0
EACH_SECONDS = 0.2  # for one address in the first round: an absent machine does not refuse, it is silent
RENEW_SECONDS = (5.0, 15.0)  # a connection that is never idle would keep to its replica while others have nothing to do


class Pool:
    """Connections to one upstream, the most recently used first."""

    def __init__(self, host: str, port: int, lookup: Lookup | None = None) -> None:
        self.host, self.port = host, port
        self.authority = f"{host}:{port}".encode()
        self._addresses = Addresses(host, port, lookup)
        self._idle: deque[UpstreamConnection] = deque()
        self._loop = asyncio.get_running_loop()

    def idle(self) -> UpstreamConnection | None:
        """A connection that is at hand and still good."""
        horizon = self._loop.time() - CLIENT_IDLE_SECONDS
        while self._idle:
            connection = self._idle.pop()
            if connection.usable and connection.idle_since > horizon:
                return connection
            connection.transport.close()
        return None

    async def connect(self) -> UpstreamConnection:
        """A new connection; raises `CannotConnect`."""
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                return await self._connect(await self._addresses.ordered())
        except OSError as error:
            raise CannotConnect(f"{self.host}:{self.port}: {str(error) or 'no answer in time'}") from error

    async def _connect(self, addresses: list[str]) -> UpstreamConnection:
        """Each in turn, then the silent ones again with more time: it may be this process that was slow."""
        seconds = EACH_SECONDS
        while True:
            silent = []
            for address in addresses:
                try:
                    async with asyncio.timeout(seconds):
                        return await self._open(address)
                except OSError as error:
                    failure = error
                self._addresses.avoid(address)
                if isinstance(failure, TimeoutError):
                    silent.append(address)
            if not silent:
                raise failure
            addresses, seconds = silent, 2 * seconds

    async def _open(self, address: str) -> UpstreamConnection:
        loop = self._loop
        _, made = await loop.create_connection(lambda: UpstreamConnection(self, loop), address, self.port)
        made.address = address
        made.renew_at = loop.time() + random.uniform(*RENEW_SECONDS)  # noqa: S311 - spreads load, no secret
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
        now = self._loop.time()
        if now > connection.renew_at:
            connection.transport.close()
        elif connection.usable:
            connection.congested(False)
            connection.idle_since = now
            self._idle.append(connection)

    def dismiss(self, connection: UpstreamConnection) -> None:
        """The upstream wants the connection to end, as it does while it is draining: go elsewhere for new ones."""
        self._addresses.avoid(connection.address)

    def forget(self, connection: UpstreamConnection) -> None:
        """A connection that was lost."""
        if connection in self._idle:
            self._idle.remove(connection)

    def sweep(self) -> None:
        """Close what has been idle for too long."""
        horizon = self._loop.time() - CLIENT_IDLE_SECONDS
        while self._idle and self._idle[0].idle_since < horizon:
            self._idle.popleft().transport.close()

    def close(self) -> None:
        """Close what is idle."""
        while self._idle:
            self._idle.popleft().transport.close()
