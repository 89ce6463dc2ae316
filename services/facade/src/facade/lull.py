"""A moment without customers. Whoever works beside them on one event loop waits for it, but not for ever."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager, suppress


class Lull:
    """Counts the customers who are being served."""

    def __init__(self) -> None:
        self._customers = 0
        self._quiet = asyncio.Event()
        self._quiet.set()

    @contextmanager
    def customer(self) -> Iterator[None]:
        """While a customer is being served."""
        self._customers += 1
        self._quiet.clear()
        try:
            yield
        finally:
            self._customers -= 1
            if self._customers == 0:
                self._quiet.set()

    async def come(self, seconds: float) -> None:
        """Return when nobody is being served, or after so long."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._quiet.wait()
