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


@dataclass(frozen=True)
class Snapshot:
    """Rows by their kind; outboxes and inboxes by the service that owns them, of those that have one."""

    taken_at: datetime
    rows: Mapping[type, Sequence[Any]]
    outboxes: Mapping[str, Sequence[Outgoing]]
    inboxes: Mapping[str, Sequence[Incoming]]
    stream: Stream

    def all(self, kind: type[T]) -> Sequence[T]:
        """All rows of one kind."""
        return self.rows[kind]


async def take(access: Access) -> Snapshot:
    """Read everything. Raises `Unreachable`."""
    taken_at = datetime.now(UTC)
    stream = await read_stream(access)
    databases = dict(zip(DATABASES, await asyncio.gather(*(_read(access, name) for name in DATABASES)), strict=True))
    return Snapshot(
        taken_at,
        {kind: rows for read in databases.values() for kind, rows in read.items()},
        {name: read[Outgoing] for name, read in databases.items() if Outgoing in read},
        {name: read[Incoming] for name, read in databases.items() if Incoming in read},
        stream,
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


async def settle(access: Access, seconds: float, waiting: Callable[[str], None]) -> str:
    """Wait until nothing is under way, at most so long; returns what still is, or an empty text."""
    limit = time.monotonic() + seconds
    while (open_work := await _open_work(access)) and time.monotonic() < limit:
        waiting(open_work)
        await asyncio.sleep(POLL)
    return open_work


async def _open_work(access: Access) -> str:
    """What has begun and not ended, in words."""
    found = [f"{await _count(access, 'orders', OPEN_SAGAS)} sagas"]
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
