"""The comparing of answers takes a tenth of a core, however many there are."""

import time

from facade.comparison.pace import Pace
from services.facade.tests.answers import page, product


async def test_after_a_page_was_read_the_comparison_rests() -> None:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    books = [product(number) for number in range(1, 21)]
    started = time.thread_time()
    assert await Pace(sleep).compare(page(books), page(books[1:])) != []
    worked = time.thread_time() - started
    assert len(slept) == 3
    assert worked * 5 < sum(slept) <= worked * 9


async def test_equal_answers_cost_nothing_and_need_no_rest() -> None:
    async def sleep(_: float) -> None:
        raise AssertionError("no rest was needed")

    books = [product(number) for number in range(1, 21)]
    assert await Pace(sleep).compare(page(books, csrf="one"), page(books, csrf="two")) == []
