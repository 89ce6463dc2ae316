"""Two languages: ids, times, amounts, and what a transaction of the old shop means."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from bridge.domain import (
    BookTold,
    Change,
    CustomerTold,
    LegacyLine,
    LegacyOrder,
    OrderTold,
    StockTold,
    legacy_id,
    message_id,
    tell,
    to_decimal,
    to_local,
    to_minor,
    to_utc,
)

NOW = datetime(2026, 11, 24, 16, 5, tzinfo=UTC)
EMMA: dict[str, Any] = {
    "id": 12,
    "isbn": "9781999900007",
    "title": "Emma",
    "author": "Jane Austen",
    "year": 1815,
    "price": Decimal("24.90"),
    "stock": 10,
}
ANN: dict[str, Any] = {
    "id": 3,
    "email": "ann@example.org",
    "name": "Ann",
    "salt": "saltsalt",
    "password": "a" * 40,
    "created": "2026-07-01T12:00:00.5",
}


def changed(id: int, table: str, old: Any, new: Any, origin: str | None = None) -> Change:
    op = "INSERT" if old is None else "DELETE" if new is None else "UPDATE"
    return Change(id, "7", NOW, table, op, old, new, origin)


def test_an_id_is_the_same_each_time_and_of_version_7() -> None:
    id = legacy_id("order", 7, NOW)
    assert id == legacy_id("order", 7, NOW)
    assert id.version == 7
    assert id.variant == "specified in RFC 4122"
    assert id.int >> 80 == int(NOW.timestamp() * 1000)
    assert len({id, legacy_id("order", 8, NOW), legacy_id("customer", 7, NOW)}) == 3


def test_ids_sort_by_the_time_of_what_they_name() -> None:
    ids = [legacy_id("order", number, NOW + timedelta(milliseconds=5 - number)) for number in range(5)]
    assert sorted(ids) == ids[::-1]


def test_a_message_has_one_id_however_often_it_is_made() -> None:
    assert message_id(NOW, "a", 1) == message_id(NOW, "a", 1) != message_id(NOW, "a", 2)
    assert message_id(NOW, "a", 1).version == 7


@pytest.mark.parametrize(
    ("local", "utc"),
    [
        ("2026-07-01T12:00", "2026-07-01T10:00Z"),
        ("2026-11-24T16:05:33", "2026-11-24T15:05:33Z"),
        ("2026-10-25T02:30", "2026-10-25T00:30Z"),
    ],
    ids=["summer", "winter", "the hour that comes twice"],
)
def test_times_are_those_of_the_clock_on_the_wall_in_berlin(local: str, utc: str) -> None:
    assert to_utc(datetime.fromisoformat(local)) == datetime.fromisoformat(utc)
    assert to_local(datetime.fromisoformat(utc)) == datetime.fromisoformat(local)


def test_amounts_keep_every_cent() -> None:
    for cents in (1, 10, 99, 1999, 12_345_678):
        assert to_minor(to_decimal(cents)) == cents
    assert str(to_decimal(2490)) == "24.90"


def test_a_sale_tells_of_the_order_alone() -> None:
    order = {"id": 7, "status": "P"}
    sale = [
        changed(1, "orders", None, {"id": 7, "status": "?"}),
        changed(2, "order_items", None, {"order_id": 7, "line": 1}),
        changed(3, "products", EMMA, {**EMMA, "stock": 8}),
        changed(4, "orders", {"id": 7, "status": "?"}, order),
    ]
    assert tell(sale) == [OrderTold(7, 4)]


def test_stock_that_moves_without_an_order_was_received_or_taken_out() -> None:
    moved = [
        changed(1, "products", EMMA, {**EMMA, "stock": 15}),
        changed(2, "products", {**EMMA, "stock": 15}, {**EMMA, "stock": 13}),
    ]
    assert tell(moved) == [StockTold(EMMA["isbn"], 3, 2)]


def test_a_book_is_told_when_what_it_says_has_changed() -> None:
    cheaper = {**EMMA, "price": Decimal("19.90")}
    (told,) = tell([changed(5, "products", EMMA, cheaper)])
    assert isinstance(told, BookTold)
    assert told.data() == {
        "number": 12,
        "isbn": EMMA["isbn"],
        "title": "Emma",
        "author": "Jane Austen",
        "year": 1815,
        "price": {"amount": 1990, "currency": "EUR"},
        "received": None,
        "version": 5,
    }


def test_a_new_product_brings_its_first_books_along() -> None:
    (told,) = tell([changed(5, "products", None, EMMA)])
    assert isinstance(told, BookTold)
    assert told.received == 10


def test_several_changes_of_a_row_are_told_once_by_the_last() -> None:
    renamed = {**EMMA, "title": "Emma, again"}
    (told,) = tell([changed(5, "products", EMMA, renamed), changed(6, "products", renamed, {**renamed, "year": 1816})])
    assert isinstance(told, BookTold)
    assert (told.version, told.title, told.year) == (6, "Emma, again", 1816)


def test_a_customer_is_told_with_the_secret_still_open() -> None:
    (told,) = tell([changed(9, "customers", None, ANN)])
    registered = datetime(2026, 7, 1, 10, 0, 0, 500_000, tzinfo=UTC)
    assert told == CustomerTold(3, "ann@example.org", "Ann", f"saltsalt${'a' * 40}", registered, 9)


def test_what_was_written_back_and_what_was_deleted_is_not_told() -> None:
    assert tell([changed(1, "products", EMMA, {**EMMA, "title": "X"}, "shop")]) == []
    assert tell([changed(1, "products", EMMA, None)]) == []
    assert tell([changed(1, "bridge", None, None)]) == []


def test_a_change_of_a_hundred_thousand_rows_takes_no_square_of_it() -> None:
    rows = [changed(n, "products", {**EMMA, "id": n}, {**EMMA, "id": n, "year": 2000}) for n in range(1, 100_001)]
    assert len(tell(rows)) == 100_000


def test_an_order_in_the_new_shop_s_words() -> None:
    line = LegacyLine(str(EMMA["isbn"]), "Emma", 2, Decimal("24.90"))
    order = LegacyOrder(7, 3, NOW, "P", Decimal("49.80"), NOW, (line,))
    order_id, customer_id = legacy_id("order", 7, NOW), legacy_id("customer", 3, NOW)
    assert order.data(order_id, customer_id, 44) == {
        "order_id": order_id,
        "number": 7,
        "customer_id": customer_id,
        "status": "confirmed",
        "reason": None,
        "lines": [
            {
                "isbn": EMMA["isbn"],
                "title": "Emma",
                "quantity": 2,
                "unit_price": {"amount": 2490, "currency": "EUR"},
            }
        ],
        "total": {"amount": 4980, "currency": "EUR"},
        "placed_at": NOW,
        "version": 44,
    }
    refused = LegacyOrder(7, 3, NOW, "X", Decimal("49.80"), NOW, (line,)).data(order_id, customer_id, 44)
    assert (refused["status"], refused["reason"]) == ("cancelled", "card-declined")
    assert not LegacyOrder(7, 3, NOW, "?", Decimal(0), NOW, ()).ended
