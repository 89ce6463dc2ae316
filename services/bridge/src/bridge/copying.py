"""The snapshot: the old shop's rows to the stream, while it goes on writing.

Each chunk is read at a watermark, the newest change that it sees, and told with that as its version: a consumer that
has heard a later change of a row keeps it. Killed at any moment it goes on at its last chunk, and tells that one twice.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

import sqlalchemy as sa
import structlog
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from bridge.publish import publish
from bridge.storage import legacy
from bridge.storage.tables import snapshot
from bridge.translate import Translator
from chassis.errors import DependencyUnavailable
from chassis.relay import Publisher as Bus
from chassis.storage import Database

log = structlog.get_logger(__name__)
TABLES = ("customers", "products", "orders")
PATIENCE, PAUSE = 120.0, 0.5  # of one chunk, while the bus or the database is away

_of_table = snapshot.c.tbl == sa.bindparam("of")
_begin = insert(snapshot).on_conflict_do_nothing()
_state = sa.select(snapshot).where(_of_table)
_advance = (
    sa.update(snapshot)
    .where(_of_table)
    .values(last_id=sa.bindparam("to"), rows=snapshot.c.rows + sa.bindparam("more"), done=sa.bindparam("finished"))
)


@dataclass(frozen=True)
class Copy:
    """How far a table's copy is."""

    table: str
    last_id: int
    rows: int
    done: bool
    started_at: datetime


class Shown(Protocol):
    """Shows the progress to a person."""

    def began(self, table: str, rows: int, total: int) -> None: ...
    def moved(self, table: str, rows: int) -> None: ...
    def ended(self, table: str, rows: int) -> None: ...


class Snapshot:
    """Copies table by table, chunk by chunk; the progress is in the database, written after the bus has the chunk."""

    def __init__(self, database: Database, bus: Bus, translator: Translator, chunk: int) -> None:
        self._database = database
        self._bus = bus
        self._translator = translator
        self._chunk = chunk

    async def restart(self) -> None:
        """Forget how far the last one came."""
        async with self._database.transaction() as connection:
            await connection.execute(sa.delete(snapshot))

    async def run(self, shown: Shown) -> None:
        """Copy what is not copied yet."""
        async with self._database.autocommit() as connection:
            totals = await legacy.count_rows(connection)
        for table in TABLES:
            copy = await self._copy(table)
            shown.began(table, copy.rows, totals[table])
            while not copy.done:
                copy = await self._persistently(copy)
                shown.moved(table, copy.rows)
            shown.ended(table, copy.rows)

    async def _copy(self, table: str) -> Copy:
        async with self._database.transaction() as connection:
            await connection.execute(_begin, {"tbl": table})
            row = (await connection.execute(_state, {"of": table})).one()
        return Copy(row.tbl, row.last_id, row.rows, row.done, row.started_at)

    async def _persistently(self, copy: Copy) -> Copy:
        async with asyncio.timeout(PATIENCE):
            while True:
                try:
                    return await self._next(copy)
                except DependencyUnavailable as error:
                    log.warning("snapshot.waiting", table=copy.table, reason=str(error))
                    await asyncio.sleep(PAUSE)

    async def _next(self, copy: Copy) -> Copy:
        async with self._repeating_reads() as connection:
            chunk = await legacy.read_chunk(connection, copy.table, copy.last_id, self._chunk)
            told = [(each, copy.started_at) for each in chunk.told]
            messages = await self._translator.messages(connection, told)
        await publish(self._bus, messages)
        done = len(chunk.told) < self._chunk
        async with self._database.transaction() as connection:
            values = {"to": chunk.last, "more": len(chunk.told), "finished": done}
            await connection.execute(_advance, {"of": copy.table, **values})
        return await self._copy(copy.table)

    @asynccontextmanager
    async def _repeating_reads(self) -> AsyncIterator[AsyncConnection]:
        async with self._database.transaction() as connection:
            await connection.execute(sa.text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"))
            yield connection
