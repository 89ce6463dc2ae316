"""A second look: what the old shop itself is not sure of, and what was only late, is no mismatch."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from facade.comparison import Difference, Kind
from facade.comparison.question import NO_ANSWER, NothingToCompare, Question, Read, Write
from facade.comparison.settle import Outcome, Verdict, settle
from facade.domain import Side
from facade.legacy_http import LegacyRequest, LegacyResponse
from facade.ports import CannotAnswer
from services.facade.tests.answers import DEAD, GET, FakeQuotes, FakeSide, answer, compare, order, product, products


def one_after_the_other(*answers: LegacyResponse) -> Callable[[LegacyRequest], LegacyResponse]:
    """The last one again and again."""
    left: Iterator[LegacyResponse] = iter(answers)
    return lambda _: next(left, answers[-1])


def listed(**other: Any) -> LegacyResponse:
    return answer(products(products=[product(1, **other), product(2)]))


async def verdict(question: Question, slept: list[float] | None = None) -> Verdict:
    async def sleep(seconds: float) -> None:
        if slept is not None:
            slept.append(seconds)

    return await settle(question, await question.differences(), sleep=sleep)


def read(legacy: FakeSide, modern: FakeSide, shown: LegacyResponse) -> Read:
    return Read(legacy, modern, GET, Side.LEGACY, shown, compare)


async def test_what_two_old_answers_disagree_on_is_not_compared() -> None:
    legacy, modern = FakeSide(listed(author="B")), FakeSide(listed(author="C"))
    assert await read(legacy, modern, listed(author="A")).differences() == []
    assert len(legacy.asked) == 1


async def test_noise_in_one_place_hides_nothing_in_another() -> None:
    legacy, modern = FakeSide(listed(author="B")), FakeSide(listed(author="C", price="47.00"))
    (found,) = await read(legacy, modern, listed(author="A")).differences()
    assert (found.path, found.kind) == ("body.products[1].price", Kind.ROUNDING)


async def test_equal_answers_ask_the_old_shop_nothing() -> None:
    legacy = FakeSide(DEAD)
    assert await read(legacy, FakeSide(listed()), listed()).differences() == []
    assert legacy.asked == []


async def test_an_answer_of_the_new_side_is_not_asked_for_twice() -> None:
    modern = FakeSide(DEAD)
    assert await Read(FakeSide(listed()), modern, GET, Side.MODERN, listed(), compare).differences() == []
    assert modern.asked == []


async def test_what_agrees_a_moment_later_was_lag() -> None:
    slept: list[float] = []
    legacy, modern = FakeSide(listed()), FakeSide(one_after_the_other(listed(avail="N"), listed(avail="N"), listed()))
    assert await verdict(read(legacy, modern, listed()), slept) == Verdict(Outcome.SETTLED)
    assert slept == [0.5, 1.0]


async def test_what_stays_wrong_is_a_mismatch_with_its_latest_values() -> None:
    found = await verdict(read(FakeSide(listed()), FakeSide(listed(price="47.00")), listed()))
    assert found.outcome is Outcome.MISMATCHED
    assert found.differences == (Difference("body.products[1].price", Kind.ROUNDING, "47.13", "47.00"),)


async def test_only_what_is_wrong_every_time_counts() -> None:
    modern = FakeSide(one_after_the_other(listed(avail="N"), listed(year=1, price="47.00"), listed(price="47.00")))
    assert (await verdict(read(FakeSide(listed()), modern, listed()))).outcome is Outcome.SETTLED


async def test_what_is_written_to_all_the_time_cannot_be_held_against_the_new_side() -> None:
    legacy = FakeSide(one_after_the_other(listed(), listed(avail="N"), listed()))
    modern = FakeSide(one_after_the_other(listed(avail="N"), listed(), listed(avail="N")))
    assert (await verdict(read(legacy, modern, listed()))).outcome is Outcome.SETTLED


async def test_a_value_that_is_wrong_in_another_way_each_time_is_a_mismatch() -> None:
    modern = FakeSide(one_after_the_other(listed(price="1.00"), listed(price="2.00"), listed(price="3.00")))
    assert (await verdict(read(FakeSide(listed()), modern, listed()))).outcome is Outcome.MISMATCHED


async def test_a_new_side_that_never_answers_is_a_mismatch() -> None:
    found = await verdict(read(FakeSide(listed()), FakeSide(DEAD), listed()))
    assert found == Verdict(Outcome.MISMATCHED, (NO_ANSWER,))


async def test_a_bug_of_an_adapter_is_a_mismatch() -> None:
    (found,) = (await verdict(read(FakeSide(listed()), FakeSide(KeyError("price")), listed()))).differences
    assert found == Difference("status", Kind.STATUS, None, "no answer, KeyError")


async def test_without_the_old_shop_there_is_nothing_to_compare_with() -> None:
    with pytest.raises(CannotAnswer):
        await read(FakeSide(DEAD), FakeSide(listed(price="47.00")), listed()).differences()


async def test_an_order_is_compared_with_what_the_new_side_would_charge() -> None:
    taken = order(7)
    quoted = {**taken, "total": "59.00"}
    question = Write(FakeQuotes((taken, quoted)), replace(GET, method="POST"), answer({"ok": 1, "order": taken}))
    assert await question.differences() == [Difference("total", Kind.ROUNDING, "59.48", "59.00")]


async def test_an_order_that_was_not_taken_is_not_compared() -> None:
    question = Write(FakeQuotes(None), replace(GET, method="POST"), answer({"ok": 0, "error": "card declined"}))
    with pytest.raises(NothingToCompare):
        await question.differences()
