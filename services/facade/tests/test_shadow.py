"""The mirror is never felt: not when the new side is dead or slow, not when there is too much to compare."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from facade.comparison.settle import Sleep
from facade.domain import Side, Stage
from facade.legacy_http import LegacyResponse
from facade.shadow import LULL_SECONDS, QUEUE, SETTLING, WORKERS, Shadow, Sides
from services.facade.tests.answers import DEAD, GET, FakeQuotes, FakeSide, FakeTally, answer, order, products, until
from services.facade.tests.proxies import CATALOG, ORDERS, Facade

LEGACY = answer(products())
ROUNDED = answer(products(products=[{**products()["products"][0], "price": "47.00"}, *products()["products"][1:]]))
POST = replace(GET, method="POST", path="/legacy/api/orders")


class Mirror:
    """The mirror, running between two sides that a test decides; the pauses pass at once, or when a test lets them."""

    def __init__(self, modern: LegacyResponse | Exception, seconds: float = 2.0, sleep: Sleep | None = None) -> None:
        self.legacy = FakeSide(LEGACY)
        self.modern = FakeSide(modern)
        self.quotes = FakeQuotes()
        self.tally = FakeTally()
        sides = Sides(self.legacy, {CATALOG: self.modern, ORDERS: self.modern}, self.quotes)
        self.generation = 1
        self.shadow = Shadow(sides, self.tally, lambda _: self.generation, seconds=seconds, sleep=sleep or self._sleep)
        self.gate = asyncio.Event()
        self.gate.set()

    async def _sleep(self, _: float) -> None:
        await self.gate.wait()

    def offer(self, times: int = 1) -> None:
        for _ in range(times):
            self.shadow.offer(CATALOG, GET, Side.LEGACY, LEGACY)


@asynccontextmanager
async def mirror(modern: LegacyResponse | Exception, **other: Any) -> AsyncIterator[Mirror]:
    made = Mirror(modern, **other)
    await made.shadow.start()
    try:
        yield made
    finally:
        await made.shadow.stop()


async def test_equal_answers_are_counted_as_a_match() -> None:
    async with mirror(LEGACY) as running:
        running.offer(10)
        await until(lambda: running.tally.matches == 10)
    assert running.legacy.asked == []
    assert running.tally.measures == [Side.MODERN] * 10


async def test_a_mismatch_is_kept_with_its_name_and_without_a_body() -> None:
    async with mirror(ROUNDED) as running:
        running.offer()
        await until(lambda: bool(running.tally.mismatches))
    (found,) = running.tally.mismatches
    assert (found.method, found.path) == ("GET", "/legacy/api/products")
    assert found.differences == (
        {"path": "body.products[1].price", "kind": "rounding", "legacy": "47.13", "modern": "47.00"},
    )


async def test_what_was_offered_before_the_last_move_does_not_count_after_it() -> None:
    async with mirror(ROUNDED) as running:
        running.gate.clear()
        running.offer()
        await until(lambda: bool(running.modern.asked))
        running.generation = 2
        running.gate.set()
        await until(lambda: len(running.modern.asked) == 3)  # once, and two second looks
        running.modern.gives = LEGACY
        running.offer()
        await until(lambda: running.tally.matches == 1)
    assert running.tally.mismatches == []


async def test_an_order_is_compared_by_its_price() -> None:
    async with mirror(DEAD) as running:
        for total in ("59.48", "60.00"):
            running.quotes.pair = (order(7), order(7, total=total))
            running.shadow.offer(ORDERS, POST, Side.LEGACY, LEGACY, write=True)
            await until(lambda: running.shadow.waiting == 0)
        await until(lambda: bool(running.tally.mismatches))
    assert running.tally.matches == 1
    assert running.tally.mismatches[0].differences[0]["path"] == "total"
    assert running.modern.asked == []


async def test_an_order_that_was_refused_is_not_counted() -> None:
    async with mirror(DEAD) as running:
        running.shadow.offer(ORDERS, POST, Side.LEGACY, LEGACY, write=True)
        running.offer()
        await until(lambda: bool(running.tally.mismatches))
    assert (running.tally.matches, running.tally.drops) == (0, 0)


async def test_the_queue_drops_rather_than_grows() -> None:
    async with mirror(LEGACY) as running:
        running.modern.seconds = 60
        running.offer(WORKERS)
        await until(lambda: len(running.modern.asked) == WORKERS)
        running.offer(QUEUE + 1_000)
        assert running.shadow.waiting == QUEUE
        assert running.tally.drops == 1_000


async def test_mismatches_that_wait_for_a_second_look_are_bounded_too() -> None:
    async with mirror(ROUNDED) as running:
        running.gate.clear()
        running.offer(SETTLING + 20)
        await until(lambda: running.tally.drops == 20)
        assert running.tally.mismatches == []
        running.gate.set()
        await until(lambda: len(running.tally.mismatches) == SETTLING)


async def test_a_slow_side_is_not_waited_for() -> None:
    async with mirror(LEGACY, seconds=0.05) as running:
        running.modern.seconds = 10
        running.offer()
        await until(lambda: bool(running.tally.mismatches))
    assert running.tally.mismatches[0].differences[0]["modern"] == "no answer"


async def test_an_old_shop_that_is_gone_makes_no_mismatch() -> None:
    async with mirror(ROUNDED) as running:
        running.legacy.gives = DEAD
        running.offer()
        await until(lambda: running.tally.drops == 1)
    assert running.tally.mismatches == []


async def test_a_bug_in_the_mirror_costs_one_comparison() -> None:
    async with mirror(LEGACY) as running:
        running.legacy.gives = running.modern.gives = ValueError("a bug")
        running.shadow.offer(CATALOG, GET, Side.MODERN, LEGACY)
        await until(lambda: running.tally.drops == 1)
        running.modern.gives = LEGACY
        running.offer()
        await until(lambda: running.tally.matches == 1)
        assert running.shadow.alive


async def test_the_mirror_asks_when_no_customer_is_being_served() -> None:
    async with mirror(LEGACY) as running:
        with running.shadow.customer():
            with running.shadow.customer():
                running.offer()
            await asyncio.sleep(LULL_SECONDS / 5)
            assert running.modern.asked == []
        await until(lambda: running.tally.matches == 1, seconds=LULL_SECONDS / 2)


async def test_where_there_are_always_customers_the_mirror_asks_all_the_same() -> None:
    async with mirror(LEGACY) as running:
        with running.shadow.customer():
            running.offer()
            await until(lambda: running.tally.matches == 1)


async def test_a_stop_waits_for_nothing() -> None:
    async with mirror(LEGACY) as running:
        running.modern.seconds = 60
        running.offer(50)
        await until(lambda: len(running.modern.asked) == WORKERS)
        started = time.perf_counter()
        await running.shadow.stop()
        assert time.perf_counter() - started < 0.5
    assert running.shadow.alive


async def _slowest(facade: Facade) -> float:
    """Of 100 requests of four customers, but for the slowest one; each must get the old answer."""
    taken: list[float] = []

    async def customer() -> None:
        for _ in range(25):
            started = time.perf_counter()
            shown = await facade.get("/legacy/api/products")
            taken.append(time.perf_counter() - started)
            assert shown.content == LEGACY.body

    await asyncio.gather(*(customer() for _ in range(4)))
    return sorted(taken)[-2]


@pytest.mark.parametrize(
    ("modern", "seconds"), [(LEGACY, 0.0), (DEAD, 0.0), (LEGACY, 10.0), (RuntimeError("a bug"), 0.0)]
)
async def test_the_customer_feels_nothing_of_the_mirror(modern: LegacyResponse | Exception, seconds: float) -> None:
    async with mirror(modern, sleep=asyncio.sleep) as running:
        running.modern.seconds = seconds
        facade = Facade(mirror=running.shadow)
        facade.legacy.gives = LEGACY
        facade.legacy.seconds = 0.005
        without, mirrored = [], []
        # In turns, and the best of eight: the machine has other work too, which hits either.
        for _ in range(8):
            without.append(await _slowest(facade.at(Stage.LEGACY)))
            mirrored.append(await _slowest(facade.at(Stage.SHADOW)))
        taken_in = len(running.modern.asked) + running.shadow.waiting + running.tally.drops
    assert taken_in >= QUEUE
    # To wait for the mirror would take at least the two seconds of its limit.
    assert min(mirrored) < min(without) * 1.5 + 0.02
