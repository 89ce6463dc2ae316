"""Stock of the old shop: where it begins, what that shop sells and receives, late, twice and beyond what there is."""

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID, uuid4

import pytest
from pydantic import ValidationError

from chassis.consumer import Retry
from chassis.inbox import AlreadyHandled
from chassis.messages import Message
from inventory.domain import AlreadyCommitted, ReservationAppeared, Stock
from inventory.messaging import LEGACY_BOOK, LEGACY_ORDER, LEGACY_STOCK, handlers
from inventory.observe import OVERSOLD

EMMA, WALDEN = "9781999900007", "9781999900014"


def book(received: int | None, version: int = 40, isbn: str = EMMA) -> Message:
    return Message.new(LEGACY_BOOK, isbn, version, {"isbn": isbn, "received": received, "version": version})


def sold(lines: dict[str, int], order: UUID | None = None, status: str = "confirmed", version: int = 50) -> Message:
    order_id = str(order or uuid4())
    written = [{"isbn": isbn, "title": "A book", "quantity": quantity} for isbn, quantity in lines.items()]
    data = {"order_id": order_id, "status": status, "lines": written, "version": version}
    return Message.new(LEGACY_ORDER, order_id, version, data)


def received(quantity: int, version: int, isbn: str = EMMA) -> Message:
    return Message.new(LEGACY_STOCK, isbn, version, {"isbn": isbn, "quantity": quantity, "version": version})


async def hear(warehouse: Any, *messages: Message) -> None:
    for message in messages:
        await handlers(warehouse.inventory)[message.type](message)


async def oversold(warehouse: Any, isbn: str = EMMA) -> int:
    (row,) = await warehouse.query(f"SELECT oversold FROM stock WHERE isbn = '{isbn}'")  # noqa: S608 - its own text
    return int(row.oversold)


async def test_a_book_of_the_old_shop_begins_with_all_that_shop_ever_received(warehouse: Any) -> None:
    await hear(warehouse, book(50))
    assert await warehouse.stock(EMMA) == Stock(EMMA, received=50, on_hand=50, reserved=0)


async def test_a_known_stock_is_left_as_it_is(warehouse: Any) -> None:
    await warehouse.receive(EMMA, 5)
    await hear(warehouse, book(50), book(None, 41))
    assert await warehouse.stock(EMMA) == Stock(EMMA, received=5, on_hand=5, reserved=0)


async def test_a_book_whose_copies_nobody_has_counted_is_not_begun(warehouse: Any) -> None:
    await hear(warehouse, book(None))
    assert await warehouse.query("SELECT * FROM stock") == []


async def test_what_the_old_shop_sold_has_left_and_nobody_is_answered(warehouse: Any) -> None:
    order = uuid4()
    await hear(warehouse, book(50), book(9, isbn=WALDEN), sold({EMMA: 2, WALDEN: 9}, order))
    assert await warehouse.stock(EMMA) == Stock(EMMA, received=50, on_hand=48, reserved=0)
    assert (await warehouse.stock(WALDEN)).on_hand == 0
    (row,) = await warehouse.query("SELECT order_id, state FROM reservation")
    assert (row.order_id, row.state) == (order, "committed")
    assert await warehouse.answers() == []
    assert await warehouse.violations() == []


async def test_an_order_told_again_by_a_snapshot_is_sold_once(warehouse: Any) -> None:
    order = uuid4()
    await hear(warehouse, book(50), sold({EMMA: 2}, order), sold({EMMA: 2}, order, version=90))
    assert (await warehouse.stock(EMMA)).on_hand == 48


async def test_an_order_of_this_shop_that_the_old_one_tells_back_is_sold_once(warehouse: Any) -> None:
    order = uuid4()
    await warehouse.receive(EMMA, 5)
    await warehouse.reserve(order, {EMMA: 2})
    await warehouse.commit(order)
    await hear(warehouse, sold({EMMA: 2}, order))
    assert (await warehouse.stock(EMMA)).on_hand == 3


async def test_the_same_message_takes_effect_once(warehouse: Any) -> None:
    await hear(warehouse, book(50))
    for message in (sold({EMMA: 2}), received(5, 60)):
        await hear(warehouse, message)
        with pytest.raises(AlreadyHandled):
            await hear(warehouse, message)
    assert await warehouse.stock(EMMA) == Stock(EMMA, received=55, on_hand=53, reserved=0)


async def test_one_order_told_many_times_at_once_is_sold_once(warehouse: Any) -> None:
    order = uuid4()
    await hear(warehouse, book(50))
    told = [hear(warehouse, sold({EMMA: 2}, order, version=50 + n)) for n in range(6)]
    outcomes = await asyncio.gather(*told, return_exceptions=True)
    assert {type(outcome) for outcome in outcomes} <= {type(None), Retry}
    assert (await warehouse.stock(EMMA)).on_hand == 48


async def test_an_order_whose_card_was_declined_takes_nothing(warehouse: Any) -> None:
    await hear(warehouse, book(50), sold({EMMA: 2}, status="cancelled"))
    assert (await warehouse.stock(EMMA)).on_hand == 50


async def test_what_overtook_its_book_waits_for_it(warehouse: Any) -> None:
    order, delivery = sold({EMMA: 2}), received(5, 60)
    for message in (order, delivery):
        with pytest.raises(Retry):
            await hear(warehouse, message)
    await hear(warehouse, book(50), order, delivery)
    assert await warehouse.stock(EMMA) == Stock(EMMA, received=55, on_hand=53, reserved=0)


@pytest.mark.parametrize("versions", [(41, 42, 43), (43, 42, 41), (42, 43, 41)])
async def test_deliveries_add_up_in_any_order(warehouse: Any, versions: tuple[int, ...]) -> None:
    await hear(warehouse, book(50, 40), *(received(version, version) for version in versions))
    assert (await warehouse.stock(EMMA)).received == 50 + 41 + 42 + 43


async def test_a_delivery_that_the_beginning_counts_already_is_not_added(warehouse: Any) -> None:
    await hear(warehouse, book(50, 40), received(5, 39), received(5, 40))
    assert (await warehouse.stock(EMMA)).received == 50


async def test_a_stock_that_began_here_takes_every_delivery(warehouse: Any) -> None:
    await warehouse.receive(EMMA, 50)
    await hear(warehouse, received(5, 39), book(60, 40), received(-2, 41))
    assert await warehouse.stock(EMMA) == Stock(EMMA, received=53, on_hand=53, reserved=0)


async def test_what_was_sold_beyond_the_last_copy_is_owed_and_counted(warehouse: Any) -> None:
    before = OVERSOLD._value.get()
    await hear(warehouse, book(3), sold({EMMA: 2}), sold({EMMA: 4}))
    assert (await warehouse.stock(EMMA)).on_hand == 0
    assert await oversold(warehouse) == 3
    assert OVERSOLD._value.get() - before == 3
    assert await warehouse.violations() == []


async def test_copies_that_are_held_for_an_order_here_are_not_taken_by_a_sale_there(warehouse: Any) -> None:
    order = uuid4()
    await hear(warehouse, book(3))
    await warehouse.reserve(order, {EMMA: 2})
    await hear(warehouse, sold({EMMA: 3}))
    assert await warehouse.stock(EMMA) == Stock(EMMA, received=3, on_hand=2, reserved=2)
    await warehouse.commit(order)
    assert (await warehouse.stock(EMMA)).on_hand == 0
    assert await oversold(warehouse) == 2
    assert await warehouse.violations() == []


@pytest.mark.parametrize("by", ["delivery there", "delivery here", "release"])
async def test_copies_that_come_free_go_to_those_who_are_owed_first(warehouse: Any, by: str) -> None:
    order = uuid4()
    await hear(warehouse, book(3))
    await warehouse.reserve(order, {EMMA: 3})
    await hear(warehouse, sold({EMMA: 2}))
    if by == "release":
        await warehouse.release(order)
    elif by == "delivery here":
        await warehouse.receive(EMMA, 3)
    else:
        await hear(warehouse, received(3, 60))
    assert await oversold(warehouse) == 0
    assert (await warehouse.stock(EMMA)).available == 1
    assert await warehouse.violations() == []


async def test_copies_that_vanish_from_the_shelves_of_held_ones_are_owed(warehouse: Any) -> None:
    await hear(warehouse, book(5))
    await warehouse.reserve(uuid4(), {EMMA: 5})
    await hear(warehouse, received(-3, 60))
    assert await warehouse.stock(EMMA) == Stock(EMMA, received=2, on_hand=5, reserved=5)
    assert await oversold(warehouse) == 3
    assert await warehouse.violations() == []


async def test_an_order_of_more_lines_than_this_shop_would_take_is_sold_all_the_same(warehouse: Any) -> None:
    books = [f"978199990{n:04d}" for n in range(120)]
    await hear(warehouse, *(book(5, isbn=isbn) for isbn in books), sold(dict.fromkeys(books, 1)))
    assert await warehouse.query("SELECT isbn FROM stock WHERE on_hand <> 4") == []


async def test_a_message_that_makes_no_sense_changes_nothing(warehouse: Any) -> None:
    for message in (book(-1), sold({EMMA: 0}), sold({EMMA: 1}, status="lost"), received(2**31, 50)):
        with pytest.raises(ValidationError):
            await hear(warehouse, message)
    assert await warehouse.query("SELECT * FROM stock") == []


async def test_any_mix_of_both_shops_leaves_stock_equal_to_what_reservations_say(warehouse: Any) -> None:
    books = [f"978199990{n:04d}" for n in range(4)]
    await hear(warehouse, *(book(8, 1, isbn) for isbn in books))
    dice = random.Random(5)
    orders = [uuid4() for _ in range(12)]

    async def one_of_many(order: UUID) -> None:
        wanted = {isbn: dice.randint(1, 3) for isbn in dice.sample(books, 2)}
        steps: list[Callable[[], Awaitable[None]]] = [
            lambda: warehouse.reserve(order, wanted),
            lambda: warehouse.commit(order),
            lambda: warehouse.release(order),
            lambda: hear(warehouse, sold(wanted)),
            lambda: hear(warehouse, received(dice.randint(-2, 4), 60, dice.choice(books))),
        ]
        step = dice.choice(steps)
        with contextlib.suppress(AlreadyCommitted, ReservationAppeared):
            await step()

    for _ in range(6):
        await asyncio.gather(*(one_of_many(dice.choice(orders)) for _ in range(20)))
        assert await warehouse.violations() == []
    free_and_owed = "SELECT isbn FROM stock WHERE oversold > 0 AND on_hand > reserved"
    assert await warehouse.query(free_and_owed) == []
