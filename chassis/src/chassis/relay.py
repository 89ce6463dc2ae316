"""Relay: publishes an outbox, oldest first, one relay at a time.

Replicas compete for an advisory lock and the losers stand by: with several relays at work the messages of one aggregate
overtake each other. Rows are taken by "not yet published", never by "id above the last": ids are given at insert and
appear at commit, so a high-water mark skips those that commit late.
"""

import asyncio
import contextlib
import math
import zlib
from collections.abc import Sequence
from typing import Any, Protocol

import sqlalchemy as sa
import structlog
from prometheus_client import Counter, Gauge
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.errors import DependencyUnavailable
from chassis.outbox import RETENTION
from chassis.storage import Database, DatabaseUnavailable

log = structlog.get_logger(__name__)
LEADER = Gauge("outbox_relay_leader", "1 where this process holds the relay's lock")
PENDING = Gauge("outbox_pending", "Messages of the last batch read that were not yet published")
AGE = Gauge("outbox_age_seconds", "Age of the oldest message not yet published")
PUBLISHED = Counter("outbox_published_total", "Messages published")

BATCH = 200
POLL_BUSY, POLL_IDLE = 0.2, 1.0
GATHER = 0.005  # after a commit: under load the messages of many transactions then share two statements
CLEAN_EVERY, CLEAN_AT_ONCE = 300.0, 1000
STOP_SECONDS = 5.0


class Publisher(Protocol):
    """Where messages go: returns when the message is stored, raises `DependencyUnavailable` when that is not known."""

    async def publish(self, subject: str, message_id: str, payload: bytes) -> None: ...


class Relay:
    """Polls, and is woken by commits of its own process."""

    name = "relay"

    def __init__(self, database: Database, table: sa.Table, publisher: Publisher) -> None:
        self._database = database
        self._publisher = publisher
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._stopping = asyncio.Event()
        self._cleaned = float("-inf")
        self._lock = sa.select(sa.func.pg_try_advisory_lock(zlib.crc32(b"outbox-relay")))
        age = sa.func.extract("epoch", sa.func.now() - table.c.created_at)
        self._select = (
            sa.select(
                table.c.id,
                table.c.message_id,
                table.c.type,
                table.c.aggregate,
                table.c.payload,
                age.label("age"),
            )
            .where(table.c.published_at.is_(None))
            .order_by(table.c.id)
            .limit(BATCH)
        )
        self._oldest = sa.select(age).where(table.c.published_at.is_(None)).order_by(table.c.id).limit(1)
        ids = sa.bindparam("ids", type_=sa.ARRAY(sa.BigInteger))
        self._mark = sa.update(table).where(table.c.id == sa.any_(ids)).values(published_at=sa.func.now())
        # From the front: to look for old rows would read a day of messages each time, until it takes too long to end.
        oldest = sa.select(table.c.id).order_by(table.c.id).limit(CLEAN_AT_ONCE).correlate(None)
        self._forget = sa.delete(table).where(table.c.id.in_(oldest), table.c.published_at < sa.func.now() - RETENTION)
        database.on_commit(self.wake)

    @property
    def alive(self) -> bool:
        """False when the relay's task has ended although nobody stopped it."""
        return self._task is None or self._stopping.is_set() or not self._task.done()

    async def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="relay")

    async def stop(self) -> None:
        """Finish the batch at hand, publish what is left if that goes at once, give the lock back."""
        self._stopping.set()
        self.wake()
        if self._task is not None:
            with contextlib.suppress(TimeoutError, asyncio.CancelledError):
                await asyncio.wait_for(self._task, timeout=STOP_SECONDS)

    def wake(self) -> None:
        """Look at the outbox now rather than at the next poll."""
        self._wake.set()

    async def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                async with self._database.session() as connection:
                    await self._lead(connection)
            except DependencyUnavailable as error:
                log.warning("relay.waiting", reason=str(error))
                if isinstance(error, DatabaseUnavailable):
                    _unknown()  # while NATS is away the age is known, and grows
            except Exception:
                log.exception("relay.failed")
            LEADER.set(0)
            # Not ended by a commit: while NATS is down each would cost a connection and another try of the outbox.
            await _pause(POLL_IDLE, self._stopping)

    async def _lead(self, connection: AsyncConnection) -> None:
        if not (await self._execute(connection, self._lock)).scalar_one():
            PENDING.set(0)  # what waits is the leader's to tell, and this process may have been the leader before
            # The age is told by all: were it the leader's alone, one that hangs, or none, would look like no delay.
            AGE.set(float((await self._execute(connection, self._oldest)).scalar() or 0))
            return
        LEADER.set(1)
        try:
            while not self._stopping.is_set():
                busy = await self.publish_batch(connection)
                await self._clean(connection)
                await _pause(POLL_BUSY if busy else POLL_IDLE, self._wake)
                await asyncio.sleep(GATHER)
            await self.publish_batch(connection)
        finally:
            # The lock belongs to the session, and the session goes back to the pool: without this it would stay held.
            await connection.invalidate()

    async def publish_batch(self, connection: AsyncConnection) -> bool:
        """Publish up to 200 messages; True when there were any."""
        self._wake.clear()
        rows = (await self._execute(connection, self._select)).all()
        PENDING.set(len(rows))
        AGE.set(float(rows[0].age) if rows else 0)
        published: list[int] = []
        try:
            for wave in waves(rows):
                await self._publish(wave, published)
        finally:
            if published:
                await self._execute(connection, self._mark, {"ids": published})
                PUBLISHED.inc(len(published))
        if len(rows) == BATCH:
            self.wake()
        return bool(rows)

    async def _publish(self, wave: Sequence[sa.Row[Any]], published: list[int]) -> None:
        sent = await asyncio.gather(
            *(self._publisher.publish(row.type, str(row.message_id), row.payload) for row in wave),
            return_exceptions=True,
        )
        published += [row.id for row, outcome in zip(wave, sent, strict=True) if outcome is None]
        failed = next((outcome for outcome in sent if outcome is not None), None)
        if failed is not None:
            raise failed

    async def _clean(self, connection: AsyncConnection) -> None:
        now = asyncio.get_running_loop().time()
        if now - self._cleaned > CLEAN_EVERY:
            deleted = (await self._execute(connection, self._forget)).rowcount
            if deleted < CLEAN_AT_ONCE:
                self._cleaned = now
            else:
                self.wake()

    async def _execute(self, connection: AsyncConnection, statement: sa.Executable, values: Any = None) -> Any:
        # The session is kept: a server that falls silent would otherwise hold the relay for as long.
        async with asyncio.timeout(self._database.time_limit):
            return await connection.execute(statement, values)


def _unknown() -> None:
    """No number rather than an old one."""
    for gauge in (PENDING, AGE):
        gauge.set(math.nan)


async def _pause(seconds: float, unless: asyncio.Event) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await unless.wait()


def waves(rows: Sequence[Any]) -> list[list[Any]]:
    """Split rows so that a wave holds at most one row of an aggregate, in order.

    The rows of a wave are published at once. Were two of one aggregate among them and the first failed, the second
    would overtake it.
    """
    result: list[list[Any]] = []
    depth: dict[str, int] = {}
    for row in rows:
        place = depth.get(row.aggregate, 0)
        depth[row.aggregate] = place + 1
        if place == len(result):
            result.append([])
        result[place].append(row)
    return result
