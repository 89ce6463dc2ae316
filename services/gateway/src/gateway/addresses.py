"""The replicas behind a name, in an order that spreads connections over them and puts the leaving ones last."""

import asyncio
import random
import socket
from collections.abc import Awaitable, Callable, Sequence

Lookup = Callable[[str, int], Awaitable[Sequence[str]]]

AVOID_SECONDS = 3.0  # longer than a drain; who comes back is missed for as long


class Addresses:
    """Where one upstream can be reached; asked of DNS for each connection, since replicas come and go."""

    def __init__(self, host: str, port: int, lookup: Lookup | None = None) -> None:
        self._host, self._port = host, port
        self._lookup = lookup or _ask
        self._avoided: dict[str, float] = {}
        self._loop = asyncio.get_running_loop()

    async def ordered(self) -> list[str]:
        """All of them, at least one; raises `OSError`."""
        found = list(dict.fromkeys(await self._lookup(self._host, self._port)))
        if not found:
            raise OSError("the name has no address")
        # The system sorts by nearness: left so, all connections would go to one replica.
        random.shuffle(found)
        now = self._loop.time()
        self._avoided = {address: until for address, until in self._avoided.items() if until > now}
        return sorted(found, key=self._avoided.__contains__)

    def avoid(self, address: str) -> None:
        """The replica there is draining or does not answer: for a while it is the last resort."""
        self._avoided[address] = self._loop.time() + AVOID_SECONDS


async def _ask(host: str, port: int) -> list[str]:
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(address[0]) for *_, address in found]
