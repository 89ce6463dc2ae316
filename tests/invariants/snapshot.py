"""All databases and the stream at one moment, and whether it is a moment of quiet."""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

from tests.invariants import ledgers
from tests.invariants.access import DATABASES, Access
from tests.invariants.ledgers import (
    Book,
    Charge,
    HeardPrice,
    HistoryEntry,
    Incoming,
    Order,
    Outgoing,
    Payment,
    Reservation,
    Saga,
    Stock,
    UsedKey,
)
from tests.invariants.old_shop import OldShop, read_bridge, read_old_shop
from tests.invariants.stream import Stream, read_consumers, read_stream

T = TypeVar("T")
TABLES: Mapping[str, tuple[type, ...]] = {
    "catalog": (Book,),
    "inventory": (Stock, Reservation),
    "orders": (Order, Saga, HistoryEntry, UsedKey, HeardPrice),
    "payments": (Payment,),
    "psp": (Charge,),
}
OPEN_SAGAS = "SELECT count(*) FROM saga WHERE direction <> 'ended'"
UNPUBLISHED = "SELECT count(*) FROM outbox WHERE published_at IS NULL"
POLL = 0.5
# What one service has handled another may be about to publish: one look could fall between the two.
QUIET_LOOKS = 2


@dataclass(frozen=True)
class Snapshot:
    """Rows by their kind; outboxes and inboxes by the service that owns them, of those that have one.

    The bridge has an inbox, and the old shop's change table instead of an outbox.
    """

    taken_at: datetime
    rows: Mapping[type, Sequence[Any]]
    outboxes: Mapping[str, Sequence[Outgoing]]
    inboxes: Mapping[str, Sequence[Incoming]]
    stream: Stream
    old: OldShop

    def all(self, kind: type[T]) -> Sequence[T]:
        """All rows of one kind."""
        return self.rows[kind]


async def take(access: Access) -> Snapshot:
    """Read everything. Raises `Unreachable`."""
    taken_at = datetime.now(UTC)
    stream = await read_stream(access)
    databases = dict(zip(DATABASES, await asyncio.gather(*(_read(access, name) for name in DATABASES)), strict=True))
    old = await _read_old(access)
    inboxes = {name: read[Incoming] for name, read in databases.items() if Incoming in read}
    return Snapshot(
        taken_at,
        {kind: rows for read in databases.values() for kind, rows in read.items()},
        {name: read[Outgoing] for name, read in databases.items() if Outgoing in read},
        inboxes if old.bridge is None else {**inboxes, "bridge": old.inbox},
        stream,
        old,
    )


async def _read(access: Access, name: str) -> dict[type, Sequence[Any]]:
    connection = await access.database(name)
    try:
        await ledgers.prepare(connection)
        kinds = [*TABLES[name]]
        kinds += [
            kind for table, kind in (("outbox", Outgoing), ("inbox", Incoming)) if await ledgers.has(connection, table)
        ]
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            return {kind: await ledgers.read(connection, kind) for kind in kinds}
    finally:
        await connection.close()


async def _read_old(access: Access) -> OldShop:
    async with access.old_shop() as connection:
        if connection is None:
            return OldShop()
        await ledgers.prepare(connection)
        return await read_old_shop(connection)


async def settle(access: Access, seconds: float, waiting: Callable[[str], None]) -> str:
    """Wait until nothing is under way, at most so long; returns what still is, or an empty text."""
    limit = time.monotonic() + seconds
    quiet = 0
    while True:
        open_work = await _open_work(access)
        quiet = 0 if open_work else quiet + 1
        if quiet == QUIET_LOOKS or time.monotonic() >= limit:
            return open_work
        if open_work:
            waiting(open_work)
        await asyncio.sleep(POLL)


async def _open_work(access: Access) -> str:
    """What has begun and not ended, in words."""
    found = [f"{await _count(access, 'orders', OPEN_SAGAS)} sagas"]
    async with access.old_shop() as connection:
        if connection is not None and (bridge := await read_bridge(connection)) is not None:
            found += bridge.work
    for name in ("catalog", "inventory", "orders", "payments"):
        found.append(f"{await _count(access, name, UNPUBLISHED)} unpublished messages of {name}")
    for durable in (await read_consumers(access)).values():
        found.append(f"{durable.pending + durable.unacknowledged} messages for {durable.name}")
    return ", ".join(text for text in found if not text.startswith("0 "))


async def _count(access: Access, database: str, query: str) -> int:
    connection = await access.database(database)
    try:
        return int(await connection.fetchval(query))
    finally:
        await connection.close()
