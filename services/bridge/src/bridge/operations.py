"""What operators and the facade ask of bridge: how far it is, and to wait until it is done."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import sqlalchemy as sa

from bridge.messaging import PRODUCES
from bridge.storage import feed, legacy
from bridge.storage.feed import FeedState
from bridge.storage.tables import snapshot
from bridge.stream import ConsumerMissing, Waiting
from chassis.storage import Database

HEARING_WRITES = ("orders", "inventory")  # whose word counts when the writer changes
POLL = 0.02


class NotDrained(Exception):
    """The time was up first; the text says what was still under way."""


class Progress(Protocol):
    """How far consumers have come in the stream. Each may raise `ConsumerMissing`, `BusUnavailable`."""

    async def goal(self, consumer: str, subjects: Sequence[str]) -> int: ...
    async def reached(self, consumer: str) -> int: ...
    async def waiting(self, consumer: str) -> Waiting: ...


@dataclass(frozen=True)
class Copied:
    """How far the snapshot is with a table."""

    table: str
    rows: int
    done: bool


class Operations:
    """`wake` makes this process look for changes at once, should it be the one that publishes."""

    def __init__(self, database: Database, progress: Progress, own_consumer: str, wake: Callable[[], None]) -> None:
        self._database = database
        self._progress = progress
        self._own = own_consumer
        self._wake = wake

    async def feed(self) -> FeedState:
        """The way to the shop."""
        async with self._database.autocommit() as connection:
            return await feed.read_state(connection)

    async def waiting(self) -> Waiting:
        """The way back."""
        try:
            return await self._progress.waiting(self._own)
        except ConsumerMissing:
            return Waiting(0, 0)

    async def snapshot(self) -> list[Copied]:
        """Of each table that was begun, in the order of their names."""
        async with self._database.autocommit() as connection:
            rows = (await connection.execute(sa.select(snapshot).order_by(snapshot.c.tbl))).all()
        return [Copied(row.tbl, row.rows, row.done) for row in rows]

    async def drain_to_shop(self, limit: float) -> float:
        """Wait until everything that is committed now has been handled by those who keep orders and stock.

        Returns the seconds that it took; raises `NotDrained`.
        """
        target = (await self.feed()).captured
        self._wake()

        async def published() -> bool:
            return (await self.feed()).published >= target

        async def drained() -> None:
            await _until(published)
            for consumer in HEARING_WRITES:
                goal = await self._progress.goal(consumer, PRODUCES)
                await _until(self._reaches(consumer, goal))

        return await _within(limit, drained(), f"changes up to {target} are not all handled")

    async def drain_to_legacy(self, numbers: Sequence[int], limit: float) -> float:
        """Wait until the old shop has all these orders; returns the seconds, raises `NotDrained`."""

        async def present() -> bool:
            async with self._database.autocommit() as connection:
                return len(await legacy.present(connection, numbers)) == len(set(numbers))

        return await _within(limit, _until(present), "the old shop does not have all of these orders")

    def _reaches(self, consumer: str, place: int) -> Callable[[], Awaitable[bool]]:
        async def reached() -> bool:
            return await self._progress.reached(consumer) >= place

        return reached


async def _within(limit: float, work: Awaitable[None], otherwise: str) -> float:
    begun = time.monotonic()
    try:
        async with asyncio.timeout(limit):
            await work
    except TimeoutError:
        raise NotDrained(f"{otherwise} after {limit:g} s") from None
    except ConsumerMissing as error:
        raise NotDrained(f"nobody listens: {error}") from error
    return time.monotonic() - begun


async def _until(condition: Callable[[], Awaitable[bool]]) -> None:
    while not await condition():  # noqa: ASYNC110 - it comes about in other processes
        await asyncio.sleep(POLL)
