"""Keeps the comparing of pages from the customers' time: both run on one event loop, and to read a page takes long."""

import asyncio
import time
from collections.abc import Awaitable, Callable

from facade.comparison import Difference, compare_answers
from facade.legacy_http import LegacyResponse

Compare = Callable[[LegacyResponse, LegacyResponse], Awaitable[list[Difference]]]
# Of one core, at most. Equal answers are not read and cost too little to be counted.
SHARE, FREE_SECONDS = 0.1, 0.0005


class Pace:
    """Compares, one pair at a time, and afterwards rests nine times as long as it has worked."""

    def __init__(self, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        self._sleep = sleep
        self._turn = asyncio.Lock()

    async def compare(self, legacy: LegacyResponse, modern: LegacyResponse) -> list[Difference]:
        async with self._turn:
            started = time.thread_time()
            found = compare_answers(legacy, modern)
            worked = time.thread_time() - started
            if worked > FREE_SECONDS:
                await self._sleep(worked * (1 / SHARE - 1))
        return found
