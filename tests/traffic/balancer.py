"""Several replicas behind one name, used as a balancer uses them: in turn, and another where a door is shut.

A request that was sent is never sent again. The HTTP client below replaces a kept-alive connection that it finds closed
before it has written to it, as any client does.
"""

import asyncio
import contextlib
import itertools
import socket
from collections import Counter
from collections.abc import Awaitable, Callable, Collection
from typing import Self
from urllib.parse import urlsplit

from pyreqwest.exceptions import ConnectError, ConnectTimeoutError

from tests.traffic.api import Answer, Api, Request
from tests.traffic.tally import Tally

LOOK_UP_SECONDS = 0.5
CONNECTING = "client error (Connect)"


LookUp = Callable[[str], Awaitable[Collection[str]]]


async def by_name(host: str) -> Collection[str]:
    """The addresses that the system finds for a name; raises `OSError`."""
    found = await asyncio.get_running_loop().getaddrinfo(host, None, family=socket.AF_INET, type=socket.SOCK_STREAM)
    return {str(info[4][0]) for info in found}


def _refused(error: ConnectError | ConnectTimeoutError) -> bool:
    """Whether no connection was made. One that was lost after the request had been sent is a ConnectError as well."""
    causes = (error.details or {}).get("causes") or []
    return isinstance(error, ConnectTimeoutError) or any(cause["message"] == CONNECTING for cause in causes)


class Balancer:
    """Use as `async with Balancer(url)`. `sent`: answers by address, `refused`: connections by address."""

    def __init__(self, url: str, look_up: LookUp = by_name) -> None:
        address = urlsplit(url)
        self._host, self._port = address.hostname or "", address.port or 80
        self._find = look_up
        self._turn = itertools.count()
        self._replicas: dict[str, Api] = {}
        self._now: list[str] = []
        self._tasks = contextlib.AsyncExitStack()
        self.sent: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()

    async def __aenter__(self) -> Self:
        await self._look_up()
        self._tasks.push_async_callback(_end, asyncio.create_task(self._follow()))
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._tasks.aclose()

    async def send(self, request: Request) -> Answer:
        """By the next replica that can be connected to; raises `PyreqwestError`."""
        turn, replicas = next(self._turn), self._now
        last = len(replicas) - 1
        for tried in range(len(replicas)):
            address = replicas[(turn + tried) % len(replicas)]
            try:
                answer = await self._replicas[address].once(request)
            except (ConnectError, ConnectTimeoutError) as error:
                if tried == last or not _refused(error):
                    raise
                self.refused[address] += 1
            else:
                self.sent[address] += 1
                return answer
        raise OSError(f"{self._host} has no address")

    async def _look_up(self) -> None:
        try:
            addresses = sorted(await self._find(self._host))
        except OSError:
            return  # the addresses of half a second ago are better than none
        for address in addresses:
            if address not in self._replicas:
                replica = Api(f"http://{address}:{self._port}", Tally())
                self._replicas[address] = await self._tasks.enter_async_context(replica)
        self._now = addresses

    async def _follow(self) -> None:
        while True:
            await asyncio.sleep(LOOK_UP_SECONDS)
            await self._look_up()


async def _end(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
