"""Counts what this replica sees, in memory, and stores the totals each second: no request waits for a row."""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from facade import observe
from facade.counting import Totals, bucket_of
from facade.domain import Capability, Side
from facade.ports import Mismatch, Standings

FLUSH_SECONDS = 1.0
SAMPLES = 100  # of a generation, and of what waits to be stored
Key = tuple[Capability, int]


@dataclass(frozen=True)
class Sample:
    """A mismatch, and when in the course of the migration it was found."""

    capability: Capability
    generation: int
    mismatch: Mismatch


class Store(Protocol):
    """Keeps totals and samples."""

    async def save(self, replica: UUID, totals: Mapping[Key, Mapping[str, object]], samples: Sequence[Sample]) -> None:
        """Totals take the place of those before; of a generation no more than `SAMPLES` samples are kept."""


class StoredTally:
    """A `Tally`. The totals of a generation only grow, and are stored as they are: a repeated flush does no harm."""

    name = "tally"

    def __init__(self, standings: Standings, store: Store, replica: UUID) -> None:
        self._standings, self._store, self._replica = standings, store, replica
        self._totals: dict[Key, Totals] = {}
        self._unsaved: set[Key] = set()
        self._samples: deque[Sample] = deque(maxlen=SAMPLES)

    def answered(self, capability: Capability, side: Side, milliseconds: float) -> None:
        observe.REQUESTS.labels(capability.value, side.value).inc()
        totals = self._of(capability)
        if side is Side.LEGACY:
            totals.answered_legacy += 1
        else:
            totals.answered_modern += 1
        self.measured(capability, side, milliseconds)

    def measured(self, capability: Capability, side: Side, milliseconds: float) -> None:
        totals = self._of(capability)
        times = totals.legacy_times if side is Side.LEGACY else totals.modern_times
        times[bucket_of(milliseconds)] += 1

    def failed(self, capability: Capability, side: Side) -> None:
        observe.FAILURES.labels(capability.value, side.value).inc()
        totals = self._of(capability)
        if side is Side.LEGACY:
            totals.failed_legacy += 1
        else:
            totals.failed_modern += 1

    def matched(self, capability: Capability) -> None:
        self._of(capability).matched += 1

    def mismatched(self, capability: Capability, mismatch: Mismatch) -> None:
        totals = self._of(capability)
        totals.mismatched += 1
        if totals.mismatched <= SAMPLES:
            self._samples.append(Sample(capability, self._generation(capability), mismatch))

    def dropped(self, capability: Capability) -> None:
        self._of(capability).dropped += 1

    def held(self, capability: Capability, seconds: float) -> None:
        """A write has waited in the parking."""
        observe.PARKED.observe(seconds)
        totals = self._of(capability)
        totals.longest_hold = max(totals.longest_hold, seconds)
        totals.held_times[bucket_of(1000 * seconds)] += 1

    async def flush(self) -> None:
        """Store what has changed; what cannot be stored now stays for the next time."""
        keys, samples = frozenset(self._unsaved), list(self._samples)
        if not keys:
            return
        self._unsaved.clear()
        self._samples.clear()
        try:
            await self._store.save(self._replica, {key: self._totals[key].columns() for key in keys}, samples)
        except BaseException:
            self._unsaved |= keys
            self._samples.extendleft(reversed(samples[: SAMPLES - len(self._samples)]))
            raise
        self._forget()

    async def start(self) -> None: ...

    async def stop(self) -> None:
        """What the last second has brought."""
        await self.flush()

    def _generation(self, capability: Capability) -> int:
        return self._standings.of(capability).generation

    def _of(self, capability: Capability) -> Totals:
        key = (capability, self._generation(capability))
        self._unsaved.add(key)
        return self._totals.setdefault(key, Totals())

    def _forget(self) -> None:
        current = {(each, self._generation(each)) for each in Capability}
        for key in [key for key in self._totals if key not in current and key not in self._unsaved]:
            del self._totals[key]
