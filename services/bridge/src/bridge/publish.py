"""Publisher: the recorded changes to the stream in the order of their commits, one publisher at a time.

Here a high-water mark is right, unlike in an outbox: the ids are given under a lock that is held until the commit.
"""

import asyncio
import contextlib
import zlib
from collections.abc import Sequence
from datetime import UTC, datetime

import sqlalchemy as sa
import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from bridge import observe
from bridge.capture import Capture
from bridge.domain import SHOP, tell
from bridge.messaging import Outgoing
from bridge.storage import feed
from bridge.translate import Translator
from chassis.errors import DependencyUnavailable
from chassis.relay import Publisher as Bus
from chassis.relay import waves
from chassis.storage import Database

log = structlog.get_logger(__name__)
BATCH = 500
AT_ONCE = 100  # of a wave: each waits for the disk of the bus
POLL_BUSY, POLL_IDLE = 0.05, 0.2
LEAD_AGAIN = 0.5
CLEAN_EVERY = 60.0
STOP_SECONDS = 5.0
_LOCK = sa.select(sa.func.pg_try_advisory_lock(zlib.crc32(b"bridge-publish")))


class Publisher:
    """A part of the process: leads, or stands by while another replica does."""

    name = "publisher"

    def __init__(self, database: Database, capture: Capture, translator: Translator, bus: Bus) -> None:
        self._database = database
        self._capture = capture
        self._translator = translator
        self._bus = bus
        self._wake = asyncio.Event()
        self._stopping = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._leading = False
        self._cleaned = float("-inf")

    @property
    def alive(self) -> bool:
        """False when the task has ended although nobody stopped it."""
        return self._task is None or self._stopping.is_set() or not self._task.done()

    async def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="publisher")

    async def stop(self) -> None:
        """Finish the batch at hand, and give the lock back."""
        self._stopping.set()
        self.wake()
        if self._task is not None:
            await asyncio.wait([self._task], timeout=STOP_SECONDS if self._leading else 0)
            self._task.cancel()
            await asyncio.wait([self._task])

    def wake(self) -> None:
        """Look for changes now rather than at the next poll."""
        self._wake.set()

    async def _run(self) -> None:
        await self._capture.ready()
        while not self._stopping.is_set():
            try:
                async with self._database.session() as connection:
                    await self._lead(connection)
            except DependencyUnavailable as error:
                log.warning("publisher.waiting", reason=str(error))
            except Exception:
                log.exception("publisher.failed")
            self._leading = False
            observe.LEADER.set(0)
            await _pause(LEAD_AGAIN, self._stopping)

    async def _lead(self, connection: AsyncConnection) -> None:
        async with asyncio.timeout(self._database.time_limit):
            if not (await connection.execute(_LOCK)).scalar_one():
                return
        self._leading = True
        observe.LEADER.set(1)
        try:
            while not self._stopping.is_set():
                self._wake.clear()
                busy = await self.publish_batch(connection)
                await self._clean(connection)
                await _pause(POLL_BUSY if busy else POLL_IDLE, self._wake)
        finally:
            # The lock belongs to the session, and the session goes back to the pool: without this it would stay held.
            await connection.invalidate()

    async def publish_batch(self, connection: AsyncConnection) -> bool:
        """Publish the next changes, about 500; True when there were any.

        The position moves after the bus has them all: a crash before that publishes them again, under the same ids.
        """
        async with asyncio.timeout(self._database.time_limit):
            changes = await feed.read_after(connection, await feed.read_position(connection), BATCH)
            told = [(each, tx[-1].at) for tx in feed.transactions(changes) for each in tell(tx)]
            messages = await self._translator.messages(connection, told)
        if not changes:
            return False
        await publish(self._bus, messages)
        echoes = sum(change.origin == SHOP for change in changes)
        async with asyncio.timeout(self._database.time_limit):
            await feed.advance(connection, changes[-1].id, echoes)
        observe.ECHOES.inc(echoes)
        if len(changes) >= BATCH:
            self.wake()
        return True

    async def _clean(self, connection: AsyncConnection) -> None:
        now = asyncio.get_running_loop().time()
        if now - self._cleaned > CLEAN_EVERY:
            async with asyncio.timeout(self._database.time_limit):
                more = await feed.forget_old(connection)
            if more:
                self.wake()
            else:
                self._cleaned = now


async def publish(bus: Bus, messages: Sequence[Outgoing]) -> None:
    """Publish the messages, those of one subject in order, others at once. Returns when the bus has all of them."""
    for wave in waves(messages):
        for start in range(0, len(wave), AT_ONCE):
            sent = await asyncio.gather(
                *(_publish(bus, each) for each in wave[start : start + AT_ONCE]), return_exceptions=True
            )
            if failed := [outcome for outcome in sent if outcome is not None]:
                raise failed[0]


async def _publish(bus: Bus, outgoing: Outgoing) -> None:
    message = outgoing.message
    await bus.publish(message.type, str(message.id), message.encode())
    observe.PUBLISHED.labels(message.type).inc()
    observe.DELAY.labels(observe.TO_SHOP).observe(max(0.0, (datetime.now(UTC) - outgoing.at).total_seconds()))


async def _pause(seconds: float, unless: asyncio.Event) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await unless.wait()
