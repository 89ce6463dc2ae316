"""Counting: what is stored, how often, and what becomes of it when it cannot be stored."""

import asyncio
from collections.abc import Mapping, Sequence
from uuid import UUID

import pytest

from chassis.storage import Database, DatabaseUnavailable
from facade.counting import Totals, bucket_of, quantile, summed
from facade.domain import Capability, Side
from facade.storage import SqlCounts, SqlStorage
from facade.tally import SAMPLES, Key, Sample
from services.facade.tests.replicas import FakeWatch, mismatch, tally_of

CATALOG = Capability.CATALOG


class LostStore:
    """Stores nothing while it is lost."""

    def __init__(self) -> None:
        self.lost = True
        self.saved: list[tuple[Mapping[Key, Mapping[str, object]], Sequence[Sample]]] = []

    async def save(self, replica: UUID, totals: Mapping[Key, Mapping[str, object]], samples: Sequence[Sample]) -> None:
        if self.lost:
            raise DatabaseUnavailable("the database does not answer")
        self.saved.append((totals, samples))


@pytest.mark.parametrize("milliseconds", [0.1, 0.5, 1.0, 7.3, 48.0, 812.0, 9_999.0])
def test_a_quantile_is_wrong_by_less_than_a_fifth(milliseconds: float) -> None:
    times = [0] * 64
    times[bucket_of(milliseconds)] = 100
    found = quantile(times, 0.5)
    assert found is not None
    assert abs(found - milliseconds) <= max(0.2 * milliseconds, 0.5)


def test_a_quantile_of_nothing_is_nothing() -> None:
    assert quantile([0] * 64, 0.99) is None


def test_the_slowest_hundredth_shows_at_the_ninety_ninth_hundredth() -> None:
    times = [0] * 64
    times[bucket_of(10)], times[bucket_of(1000)] = 980, 20
    p50, p99 = quantile(times, 0.5), quantile(times, 0.99)
    assert p50 is not None
    assert p99 is not None
    assert p50 < 12
    assert p99 > 800


def test_totals_add_up_but_the_longest_hold_is_the_longest() -> None:
    total = summed([Totals(matched=2, longest_hold=0.5), Totals(matched=3, mismatched=1, longest_hold=0.2)])
    assert (total.matched, total.compared, total.longest_hold) == (5, 6, 0.5)


async def test_what_replicas_count_adds_up(database: Database) -> None:
    counts, storage = SqlCounts(database), SqlStorage(database)
    for tally in (tally_of(FakeWatch(1), counts), tally_of(FakeWatch(2), counts)):
        tally.answered(CATALOG, Side.LEGACY, 12.0)
        tally.answered(CATALOG, Side.MODERN, 3.0)
        tally.measured(CATALOG, Side.MODERN, 3.0)
        tally.failed(CATALOG, Side.MODERN)
        tally.matched(CATALOG)
        tally.dropped(CATALOG)
        tally.held(CATALOG, 0.25)
        await tally.flush()
    lifetime, _ = await storage.totals(CATALOG)
    counted = (lifetime.answered_legacy, lifetime.answered_modern, lifetime.failed_modern, lifetime.dropped)
    assert counted == (2, 2, 2, 2)
    assert (sum(lifetime.legacy_times), sum(lifetime.modern_times), sum(lifetime.held_times)) == (2, 4, 2)
    assert lifetime.longest_hold == 0.25


async def test_a_flush_that_is_repeated_counts_nothing_twice(database: Database) -> None:
    """Whether a commit came through is not always known."""
    tally = tally_of(FakeWatch(1), SqlCounts(database))
    for _ in range(3):
        tally.matched(CATALOG)
        await tally.flush()
        tally._unsaved.add((CATALOG, 1))
        await tally.flush()
    assert (await SqlStorage(database).totals(CATALOG))[0].matched == 3


async def test_what_cannot_be_stored_is_stored_later() -> None:
    store = LostStore()
    tally = tally_of(FakeWatch(1), store)
    tally.mismatched(CATALOG, mismatch(1))
    with pytest.raises(DatabaseUnavailable):
        await tally.flush()
    tally.mismatched(CATALOG, mismatch(2))
    store.lost = False
    await tally.flush()
    totals, samples = store.saved[0]
    assert totals[CATALOG, 1]["mismatched"] == 2
    assert [each.mismatch.path[-1] for each in samples] == ["1", "2"]


async def test_nothing_is_stored_when_nothing_happened() -> None:
    store = LostStore()
    await tally_of(FakeWatch(1), store).flush()
    assert store.saved == []


async def test_counting_goes_on_in_the_next_generation() -> None:
    store = LostStore()
    store.lost = False
    watch = FakeWatch(1)
    tally = tally_of(watch, store)
    tally.matched(CATALOG)
    await tally.flush()
    watch.generation = 2
    tally.matched(CATALOG)
    await tally.flush()
    assert [dict(totals) for totals, _ in store.saved][1].keys() == {(CATALOG, 2)}
    assert store.saved[1][0][CATALOG, 2]["matched"] == 1


async def test_replicas_together_keep_no_more_samples_than_one(database: Database) -> None:
    counts = SqlCounts(database)
    tallies = [tally_of(FakeWatch(1), counts) for _ in range(3)]
    for tally in tallies:
        for number in range(SAMPLES):
            tally.mismatched(CATALOG, mismatch(number))
    await asyncio.gather(*(tally.flush() for tally in tallies))
    assert len(await SqlStorage(database).samples(CATALOG, 1000)) == SAMPLES
    assert (await SqlStorage(database).totals(CATALOG))[0].mismatched == 3 * SAMPLES
