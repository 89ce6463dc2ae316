"""Keeps the comparing of pages from the customers' time: both run on one event loop, and to read a page takes long."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from facade.comparison import Difference, compare, equal, read
from facade.legacy_http import LegacyResponse

Compare = Callable[[LegacyResponse, LegacyResponse], Awaitable[list[Difference]]]
SHARE = 0.1  # of one core, at most
T = TypeVar("T")


class Pace:
    """Compares one pair at a time, in steps, and after each rests nine times as long as it has worked."""

    def __init__(self, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        self._sleep = sleep
        self._turn = asyncio.Lock()

    async def compare(self, legacy: LegacyResponse, modern: LegacyResponse) -> list[Difference]:
        """What an old client would notice."""
        if equal(legacy, modern):
            return []
        async with self._turn:
            ours = await self._step(lambda: read(legacy))
            theirs = await self._step(lambda: read(modern))
            return await self._step(lambda: compare(ours, theirs))

    async def _step(self, work: Callable[[], T]) -> T:
        started = time.thread_time()
        done = work()
        await self._sleep((time.thread_time() - started) * (1 / SHARE - 1))
        return done
