"""What a run compares at its end, and how it measures."""

import asyncio

import pytest

from tests.traffic.api import Api, Unexpected
from tests.traffic.run import Options, Outcome, compare, in_turn
from tests.traffic.shopper import PlacedOrder, Shopper
from tests.traffic.tally import Tally, distribution


def _order(name: str, state: str = "confirmed") -> PlacedOrder:
    return PlacedOrder(name, state, None, 100, 0.5, 0.0)


async def _compared(listed: list[PlacedOrder], accepted: set[str], in_doubt: int = 0) -> dict[str, int]:
    tally = Tally()
    async with Api("http://127.0.0.1:1", tally) as api:
        shopper = Shopper(api, "a@example.com", "secret", "key", accepted, in_doubt)
    outcome = Outcome(Options("", orders=2, concurrency=1, seed=1), tally, 1, orders=listed)
    compare(outcome, [shopper])
    assert outcome.failed is bool(tally.wrong_counts)
    return dict(tally.wrong_counts)


async def test_a_run_whose_orders_are_all_listed_and_final_is_good() -> None:
    assert await _compared([_order("a"), _order("b", "cancelled")], {"a", "b"}) == {}


async def test_an_accepted_order_that_no_list_shows_fails_the_run() -> None:
    assert await _compared([_order("a")], {"a", "b"}) == {"accepted order is not in its customer's list": 1}


async def test_an_order_that_nobody_was_told_of_fails_the_run() -> None:
    assert await _compared([_order("a"), _order("b")], {"a"}) == {"order in a list that nobody was told of": 1}


async def test_an_order_whose_answer_never_came_may_be_listed() -> None:
    assert await _compared([_order("a"), _order("b")], {"a"}, in_doubt=1) == {}


async def test_an_order_that_is_still_open_fails_the_run() -> None:
    assert await _compared([_order("a", "pending")], {"a"}) == {"order not final": 1}


async def test_so_many_visits_are_under_way_at_once_and_a_failed_one_stops_no_other() -> None:
    under_way, most, done = 0, 0, 0

    async def work() -> None:
        nonlocal under_way, most, done
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0)
        under_way -= 1
        done += 1
        if done == 3:
            raise Unexpected("counted elsewhere")

    await in_turn(4, [work] * 20)
    assert (most, done) == (4, 20)


def test_percentiles_are_nearest_ranks() -> None:
    found = distribution([float(n) for n in range(1, 101)])
    assert found == {"count": 100, "p50": 50, "p90": 90, "p99": 99, "max": 100}
    assert distribution([2.0])["p99"] == pytest.approx(2.0)
