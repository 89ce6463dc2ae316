"""A replica of the facade without its HTTP side, and a bridge that is told how to behave."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import uuid4

from chassis.storage import Database
from facade.application import Migration
from facade.cutover import Cutover, NotDrained
from facade.domain import Capability, Stage, Standing
from facade.guard import Lag
from facade.parking import ParkedWrites
from facade.ports import Mismatch
from facade.settings import Settings
from facade.stages import StandingsWatch
from facade.storage import SqlCounts, SqlPresence, SqlStorage
from facade.tally import Store, StoredTally


@dataclass
class FakeBridge:
    """Drains after `seconds`, unless it is `broken`; remembers what it was asked."""

    seconds: float = 0.0
    broken: bool = False
    behind: Lag | None = field(default_factory=lambda: Lag(0.1, 0.2))
    asked: list[tuple[str, list[int]]] = field(default_factory=list)

    async def lag(self) -> Lag | None:
        return self.behind

    async def drain_to_shop(self, seconds: float) -> None:
        await self._drain("to-shop", [])

    async def drain_to_legacy(self, numbers: Sequence[int], seconds: float) -> None:
        await self._drain("to-legacy", list(numbers))

    async def _drain(self, way: str, numbers: list[int]) -> None:
        self.asked.append((way, numbers))
        if self.broken:
            raise NotDrained("the bridge is not drained")
        await asyncio.sleep(self.seconds)


@dataclass
class Replica:
    """One process' parts, as the composition puts them together."""

    database: Database
    watch: StandingsWatch
    parking: ParkedWrites
    tally: StoredTally
    presence: SqlPresence
    migration: Migration

    async def compared(self, capability: Capability, equal: int = 200, different: int = 0) -> None:
        """Let the comparison have found this, and store it."""
        for _ in range(equal):
            self.tally.matched(capability)
        for number in range(different):
            self.tally.mismatched(capability, mismatch(number))
        await self.tally.flush()


MakeReplica = Callable[[], Awaitable[Replica]]


def mismatch(number: int = 1) -> Mismatch:
    """A price that is not the same."""
    price = {"path": "product.price", "kind": "rounding", "legacy": "24.99", "modern": "25.00"}
    return Mismatch("GET", f"/legacy/api/products/{number}", (price,))


@asynccontextmanager
async def running(settings: Settings, bridge: FakeBridge) -> AsyncIterator[Replica]:
    database, replica = Database(settings), uuid4()
    presence, storage = SqlPresence(database), SqlStorage(database)
    cutover = Cutover(storage, presence, bridge)
    watch = StandingsWatch(presence, replica, cutover.undo)
    tally = StoredTally(watch, SqlCounts(database), replica)
    await watch.start()
    try:
        await until(lambda: watch.known and watch.current)
        yield Replica(database, watch, ParkedWrites(watch, tally), tally, presence, Migration(storage, bridge, cutover))
    finally:
        await watch.stop()
        await database.stop()


class FakeWatch:
    """Everything stands in shadow, in one generation."""

    def __init__(self, generation: int) -> None:
        self.generation = generation

    def of(self, capability: Capability) -> Standing:
        return Standing(capability, Stage.SHADOW, 0, False, self.generation, datetime.now(UTC))


def tally_of(watch: FakeWatch, store: Store) -> StoredTally:
    """A replica that only counts."""
    return StoredTally(watch, store, uuid4())


async def until(true: Callable[[], bool], seconds: float = 5) -> float:
    """Wait until it is true, a few seconds at most; returns how many it took."""
    begun = time.monotonic()
    while not true():
        assert time.monotonic() - begun < seconds, "it did not become true"
        await asyncio.sleep(0.002)
    return time.monotonic() - begun


async def seen(replica: Replica, standing: Standing) -> None:
    """Wait until a replica goes by this standing."""
    await until(lambda: replica.watch.of(standing.capability) == standing)
