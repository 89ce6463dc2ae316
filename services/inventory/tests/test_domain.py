"""A reservation's life: what each state answers to each command, and what that does to stock."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inventory.domain import (
    AlreadyCommitted,
    Change,
    Movement,
    Reason,
    Reservation,
    Shortage,
    State,
    StockCommitted,
    StockRefused,
    StockReserved,
    movements,
    shortage,
)

ORDER = uuid4()
NOON = datetime(2025, 3, 1, 12, tzinfo=UTC)
BOOKS = ("a", "b", "c")
HELD = Reservation.hold(ORDER, {"a": 2, "b": 1}, {"a": 2, "b": 9}, NOON)


def test_stock_that_just_suffices_is_no_shortage() -> None:
    assert shortage({"a": 2}, {"a": 2}) is None


def test_a_shortage_names_the_first_book_in_the_way() -> None:
    assert shortage({"b": 3, "a": 1}, {"a": 1, "b": 2}) == Shortage(Reason.OUT_OF_STOCK, "b")
    assert shortage({"b": 3, "a": 1}, {"b": 3}) == Shortage(Reason.UNKNOWN_BOOK, "a")


def test_a_held_reservation_reserves_its_lines() -> None:
    assert movements([Change(None, HELD)]) == {"a": Movement(reserved=2), "b": Movement(reserved=1)}


def test_a_commit_takes_what_was_reserved() -> None:
    taken = movements([Change(HELD, HELD.commit({}))])
    assert taken == {"a": Movement(-2, -2), "b": Movement(-1, -1)}


def test_a_release_gives_the_lines_back() -> None:
    assert movements([Change(HELD, HELD.release())]) == {"a": Movement(reserved=-2), "b": Movement(reserved=-1)}


def test_changes_of_several_reservations_add_up_book_by_book() -> None:
    changes = [Change(HELD, HELD.expire()), Change(HELD, HELD.commit({}))]
    assert movements(changes)["a"] == Movement(on_hand=-2, reserved=-4)


def test_each_change_counts_a_version_and_an_answer_repeated_counts_none() -> None:
    committed = HELD.commit({})
    assert (HELD.version, committed.version) == (1, 2)
    assert committed.commit({}) is committed
    assert committed.answer_to_commit() == StockCommitted(ORDER, 2)


def test_a_committed_order_still_hears_that_its_stock_was_reserved() -> None:
    assert HELD.commit({}).answer_to_reserve() == StockReserved(ORDER, 2, NOON)


def test_a_committed_reservation_cannot_be_released() -> None:
    with pytest.raises(AlreadyCommitted):
        HELD.commit({}).release()


def test_only_a_held_reservation_expires() -> None:
    with pytest.raises(ValueError, match="released reservation cannot expire"):
        HELD.release().expire()


def test_a_failed_commit_after_expiry_is_final() -> None:
    refused = HELD.expire().commit({"a": 1, "b": 1})
    assert refused.answer_to_commit() == StockRefused(ORDER, 3, Reason.EXPIRED, "a")
    assert refused.commit({"a": 9, "b": 9}) is refused
    assert refused.hold_again({"a": 9, "b": 9}, NOON) is refused


def test_an_expired_reservation_is_held_anew_with_a_new_limit() -> None:
    later = NOON + timedelta(minutes=30)
    again = HELD.expire().hold_again({"a": 2, "b": 1}, later)
    assert (again.state, again.expires_at, again.lines) == (State.HELD, later, HELD.lines)


def test_releasing_a_refused_order_leaves_it_refused() -> None:
    refused = Reservation.never_held(ORDER)
    assert refused.release() is refused


step = st.sampled_from(["reserve", "commit", "release", "expire"])
counts = st.dictionaries(st.sampled_from(BOOKS), st.integers(1, 3), min_size=1)


@given(st.lists(st.tuples(st.integers(0, 3), step, counts), max_size=30), st.integers(0, 5))
def test_whatever_is_asked_in_whatever_order_stock_follows_from_the_states(
    script: list[tuple[int, str, dict[str, int]]], received: int
) -> None:
    on_hand, reserved = dict.fromkeys(BOOKS, received), dict.fromkeys(BOOKS, 0)
    orders: dict[int, Reservation] = {}
    for number, command, lines in script:
        before = orders.get(number)
        available = {book: on_hand[book] - reserved[book] for book in BOOKS}
        after = _ask(before, command, lines, available)
        if after is None:
            continue
        orders[number] = after
        for book, move in movements([Change(before, after)]).items():
            on_hand[book] += move.on_hand
            reserved[book] += move.reserved
        for book in BOOKS:
            assert 0 <= reserved[book] <= on_hand[book]
            assert reserved[book] == _copies(orders, State.HELD, book)
            assert on_hand[book] == received - _copies(orders, State.COMMITTED, book)


def _ask(
    before: Reservation | None, command: str, lines: dict[str, int], available: dict[str, int]
) -> Reservation | None:
    if before is None:
        first = {
            "reserve": Reservation.hold(ORDER, lines, available, NOON),
            "commit": Reservation.never_held(ORDER),
            "release": Reservation.tombstone(ORDER),
        }
        return first.get(command)
    try:
        return {
            "reserve": lambda: before.hold_again(available, NOON),
            "commit": lambda: before.commit(available),
            "release": before.release,
            "expire": before.expire,
        }[command]()
    except (AlreadyCommitted, ValueError):
        return None


def _copies(orders: dict[int, Reservation], state: State, book: str) -> int:
    return sum(order.lines.get(book, 0) for order in orders.values() if order.state is state)
