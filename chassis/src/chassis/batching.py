"""Batching of reads: keys that are asked for while a query is under way are asked for together in the next one.

Nothing is cached: a query is begun after the last of its keys was asked for, so each answer is as fresh as if it had
been read alone. The busier the process, the fewer queries a read costs; an idle one waits for nobody.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextvars import Context
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")

LARGEST = 100


class Batched(Generic[K, V]):
    """Loads values by key; `load` takes up to `LARGEST` different keys, and leaves out those that have no value."""

    def __init__(self, load: Callable[[list[K]], Awaitable[Mapping[K, V]]]) -> None:
        self._load = load
        self._waiting: dict[K, asyncio.Future[V | None]] = {}
        self._loading: asyncio.Task[None] | None = None

    async def get(self, key: K) -> V | None:
        """The value, or None if there is none. Raises what `load` raised for the batch."""
        answer = self._waiting.get(key)
        if answer is None:
            answer = self._waiting[key] = asyncio.get_running_loop().create_future()
            if self._loading is None:
                # In a context of its own: the trace and the deadline of the first to ask are not those of the others.
                self._loading = asyncio.create_task(self._run(), name="batched-reads", context=Context())
        return await asyncio.shield(answer)  # others wait for the same one: whoever gives up must not cancel it

    async def _run(self) -> None:
        while self._waiting:
            keys = list(self._waiting)[:LARGEST]
            batch = {key: self._waiting.pop(key) for key in keys}
            try:
                found = await self._load(keys)
            except Exception as error:
                for answer in batch.values():
                    answer.set_exception(error)
            else:
                for key, answer in batch.items():
                    answer.set_result(found.get(key))
        self._loading = None
