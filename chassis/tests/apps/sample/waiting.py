"""Waits for something to become true, with a limit: the tests' replacement for sleeping."""

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable


async def until(condition: Callable[[], bool | Awaitable[bool]], seconds: float = 10, every: float = 0.01) -> None:
    """Return as soon as `condition()` holds; fails after `seconds`."""
    limit = time.monotonic() + seconds
    while True:
        answer = condition()
        if await answer if inspect.isawaitable(answer) else answer:
            return
        assert time.monotonic() < limit, f"not within {seconds} s: {inspect.getsource(condition).strip()}"
        await asyncio.sleep(every)
