"""Reservations over real PostgreSQL: concurrent, repeated, late, expired."""

import asyncio
import random
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy.exc import IntegrityError

from chassis.inbox import AlreadyHandled
from inventory.domain import AlreadyCommitted, ReservationAppeared, Stock
from inventory.storage import metadata

EMMA, WALDEN, DRACULA = "9781999900007", "9781999900014", "9781999900021"
UNTIL = "2025-03-01T12:15:00Z"


async def test_the_migrated_schema_is_the_one_that_the_code_describes(database: Any) -> None:
    def differences(connection: sa.Connection) -> list[Any]:
        return list(compare_metadata(MigrationContext.configure(connection), metadata))

    async with database.transaction() as connection:
        assert await connection.run_sync(differences) == []


async def test_the_code_before_the_old_shop_begins_and_moves_stock(warehouse: Any) -> None:
    """A new schema meets the old code for as long as a deployment takes."""
    async with warehouse.database.transaction() as connection:
        for statement in (
            f"INSERT INTO stock (isbn, received, on_hand, reserved) VALUES ('{EMMA}', 5, 5, 0)",  # noqa: S608
            "UPDATE stock SET on_hand = on_hand - 2",
        ):
            await connection.execute(sa.text(statement))
    assert await warehouse.stock(EMMA) == Stock(EMMA, received=5, on_hand=3, reserved=0)


async def test_a_reservation_holds_all_its_lines_and_says_until_when(warehouse: Any) -> None:
    order = uuid4()
    await warehouse.receive(EMMA, 5)
    await warehouse.receive(WALDEN, 5)

    await warehouse.reserve(order, {EMMA: 2, WALDEN: 5})

    assert await warehouse.stock(EMMA) == Stock(EMMA, received=5, on_hand=5, reserved=2)
    assert await warehouse.stock(WALDEN) == Stock(WALDEN, received=5, on_hand=5, reserved=5)
    assert await warehouse.answers(order) == [("stock-reserved", {"expires_at": UNTIL})]


async def test_one_short_line_refuses_the_whole_order(warehouse: Any) -> None:
    order = uuid4()
    await warehouse.receive(EMMA, 5)
    await warehouse.receive(WALDEN, 1)

    await warehouse.reserve(order, {EMMA: 2, WALDEN: 2})

    assert (await warehouse.stock(EMMA)).reserved == 0
    assert await warehouse.answers(order) == [("stock-refused", {"reason": "out-of-stock", "isbn": WALDEN})]


async def test_an_unknown_book_refuses_the_whole_order(warehouse: Any) -> None:
    await warehouse.receive(EMMA, 5)

    await warehouse.reserve(uuid4(), {EMMA: 1, DRACULA: 1})

    assert (await warehouse.stock(EMMA)).reserved == 0
    assert await warehouse.answers() == [("stock-refused", {"reason": "unknown-book", "isbn": DRACULA})]


async def test_committed_stock_leaves_for_good(warehouse: Any) -> None:
    order = uuid4()
    await warehouse.receive(EMMA, 5)
    await warehouse.reserve(order, {EMMA: 2})

    await warehouse.commit(order)

    assert await warehouse.stock(EMMA) == Stock(EMMA, received=5, on_hand=3, reserved=0)
    assert (await warehouse.answers(order))[-1] == ("stock-committed", {})


async def test_the_last_copies_are_sold_once_however_many_want_them_at_once(warehouse: Any) -> None:
    await warehouse.receive(EMMA, 10)

    await asyncio.gather(*(warehouse.reserve(uuid4(), {EMMA: 3}) for _ in range(20)))

    names = [name for name, _ in await warehouse.answers()]
    assert sorted(names) == ["stock-refused"] * 17 + ["stock-reserved"] * 3
    assert await warehouse.stock(EMMA) == Stock(EMMA, received=10, on_hand=10, reserved=9)


async def test_crossing_orders_queue_up_instead_of_deadlocking(warehouse: Any) -> None:
    books = [f"978199990{n:04d}" for n in range(6)]
    for isbn in books:
        await warehouse.receive(isbn, 60)
    dice = random.Random(7)
    orders = [(uuid4(), dice.sample(books, 4)) for _ in range(60)]

    async def buy(order: UUID, wanted: list[str], give_back: bool) -> None:
        await warehouse.reserve(order, dict.fromkeys(wanted, 1))
        await (warehouse.release(order) if give_back else warehouse.commit(order))

    # A deadlock would surface here as an error of one of its victims.
    await asyncio.gather(*(buy(order, wanted, dice.random() < 0.5) for order, wanted in orders))

    assert await warehouse.violations() == []
    assert await warehouse.query("SELECT isbn FROM stock WHERE reserved > 0") == []


async def test_any_mix_of_commands_leaves_stock_equal_to_what_reservations_say(warehouse: Any) -> None:
    books = [f"978199990{n:04d}" for n in range(4)]
    for isbn in books:
        await warehouse.receive(isbn, 8)
    dice = random.Random(11)
    orders = [uuid4() for _ in range(12)]

    async def one_of_many(order: UUID) -> None:
        step = dice.choice(
            [warehouse.reserve, warehouse.commit, warehouse.release, warehouse.inventory.release_expired]
        )
        try:
            if step == warehouse.reserve:
                await step(order, {isbn: dice.randint(1, 3) for isbn in dice.sample(books, 2)})
            elif step == warehouse.inventory.release_expired:
                await step()
            else:
                await step(order)
        except (AlreadyCommitted, ReservationAppeared):
            pass

    for _ in range(6):
        await asyncio.gather(*(one_of_many(dice.choice(orders)) for _ in range(20)))
        warehouse.clock.now += timedelta(minutes=6)
        assert await warehouse.violations() == []


async def test_the_same_message_takes_effect_once(warehouse: Any) -> None:
    order, message = uuid4(), uuid4()
    await warehouse.receive(EMMA, 5)
    await warehouse.reserve(order, {EMMA: 2}, message)

    with pytest.raises(AlreadyHandled):
        await warehouse.reserve(order, {EMMA: 2}, message)

    assert (await warehouse.stock(EMMA)).reserved == 2
    assert len(await warehouse.answers(order)) == 1


async def test_the_same_message_twice_at_once_takes_effect_once(warehouse: Any) -> None:
    order, message = uuid4(), uuid4()
    await warehouse.receive(EMMA, 5)

    twice = [warehouse.reserve(order, {EMMA: 2}, message) for _ in range(2)]
    outcomes = await asyncio.gather(*twice, return_exceptions=True)

    assert {type(outcome) for outcome in outcomes} == {type(None), AlreadyHandled}
    assert (await warehouse.stock(EMMA)).reserved == 2


@pytest.mark.parametrize("step", ["reserve", "commit", "release"])
async def test_a_command_sent_again_with_a_new_id_is_answered_again_and_changes_nothing(
    warehouse: Any, step: str
) -> None:
    order = uuid4()
    await warehouse.receive(EMMA, 5)
    await warehouse.reserve(order, {EMMA: 2})
    arguments = (order, {EMMA: 2}) if step == "reserve" else (order,)
    await getattr(warehouse, step)(*arguments)
    stock, answer = await warehouse.stock(EMMA), (await warehouse.answers(order))[-1]

    await getattr(warehouse, step)(*arguments)

    assert await warehouse.stock(EMMA) == stock
    assert (await warehouse.answers(order))[-2:] == [answer, answer]


async def test_a_refused_order_stays_refused_when_stock_arrives(warehouse: Any) -> None:
    order = uuid4()
    await warehouse.receive(EMMA, 1)
    await warehouse.reserve(order, {EMMA: 2})
    await warehouse.receive(EMMA, 10)

    await warehouse.reserve(order, {EMMA: 2})

    refused = ("stock-refused", {"reason": "out-of-stock", "isbn": EMMA})
    assert await warehouse.answers(order) == [refused, refused]


async def test_a_reservation_that_comes_after_its_release_is_refused(warehouse: Any) -> None:
    order = uuid4()
    await warehouse.receive(EMMA, 5)
    await warehouse.release(order)

    await warehouse.reserve(order, {EMMA: 2})

    assert (await warehouse.stock(EMMA)).reserved == 0
    assert await warehouse.answers(order) == [
        ("stock-released", {"reason": "requested"}),
        ("stock-refused", {"reason": "released"}),
    ]


async def test_two_first_commands_of_one_order_at_once_make_one_reservation(warehouse: Any) -> None:
    order = uuid4()
    await warehouse.receive(EMMA, 50)

    commands = [warehouse.reserve(order, {EMMA: 2}) for _ in range(4)]
    outcomes = await asyncio.gather(*commands, return_exceptions=True)

    assert {type(outcome) for outcome in outcomes} <= {type(None), ReservationAppeared}
    assert (await warehouse.stock(EMMA)).reserved == 2


async def test_released_stock_is_there_for_others(warehouse: Any) -> None:
    order = uuid4()
    await warehouse.receive(EMMA, 2)
    await warehouse.reserve(order, {EMMA: 2})

    await warehouse.release(order)
    await warehouse.reserve(other := uuid4(), {EMMA: 2})

    assert (await warehouse.answers(other))[0][0] == "stock-reserved"


async def test_committed_stock_is_not_released(warehouse: Any) -> None:
    order = uuid4()
    await warehouse.receive(EMMA, 2)
    await warehouse.reserve(order, {EMMA: 2})
    await warehouse.commit(order)

    with pytest.raises(AlreadyCommitted):
        await warehouse.release(order)

    assert await warehouse.stock(EMMA) == Stock(EMMA, received=2, on_hand=0, reserved=0)


async def test_the_sweeper_releases_what_has_expired_and_nothing_else(warehouse: Any) -> None:
    old, young = uuid4(), uuid4()
    await warehouse.receive(EMMA, 5)
    await warehouse.reserve(old, {EMMA: 2})
    warehouse.clock.now += timedelta(minutes=10)
    await warehouse.reserve(young, {EMMA: 1})
    warehouse.clock.now += timedelta(minutes=5)

    assert await warehouse.inventory.release_expired() == 1

    assert (await warehouse.stock(EMMA)).reserved == 1
    assert (await warehouse.answers(old))[-1] == ("stock-released", {"reason": "expired"})
    assert [name for name, _ in await warehouse.answers(young)] == ["stock-reserved"]


async def test_sweepers_of_several_replicas_release_each_reservation_once(warehouse: Any) -> None:
    await warehouse.receive(EMMA, 300)
    await warehouse.receive(WALDEN, 300)
    for n in range(130):
        await warehouse.reserve(uuid4(), {EMMA: 1, WALDEN: 1} if n % 2 else {WALDEN: 1, EMMA: 1})
    warehouse.clock.now += timedelta(minutes=15)

    released = await asyncio.gather(*(warehouse.inventory.release_expired() for _ in range(4)))

    assert sum(released) == 130
    assert [name for name, _ in await warehouse.answers()].count("stock-released") == 130
    assert (await warehouse.stock(EMMA)).reserved == (await warehouse.stock(WALDEN)).reserved == 0


async def _expired(warehouse: Any, order: UUID) -> None:
    await warehouse.receive(EMMA, 2)
    await warehouse.reserve(order, {EMMA: 2})
    warehouse.clock.now += timedelta(minutes=15)
    await warehouse.inventory.release_expired()


async def test_a_commit_after_expiry_takes_the_stock_again(warehouse: Any) -> None:
    await _expired(warehouse, order := uuid4())

    await warehouse.commit(order)

    assert await warehouse.stock(EMMA) == Stock(EMMA, received=2, on_hand=0, reserved=0)
    assert (await warehouse.answers(order))[-1] == ("stock-committed", {})


async def test_a_commit_after_expiry_is_refused_for_good_when_others_have_the_stock(warehouse: Any) -> None:
    await _expired(warehouse, order := uuid4())
    await warehouse.reserve(uuid4(), {EMMA: 1})

    await warehouse.commit(order)
    await warehouse.receive(EMMA, 10)
    await warehouse.commit(order)

    refused = ("stock-refused", {"reason": "expired", "isbn": EMMA})
    assert (await warehouse.answers(order))[-2:] == [refused, refused]
    assert await warehouse.violations() == []


async def test_a_commit_after_a_requested_release_is_refused(warehouse: Any) -> None:
    order = uuid4()
    await warehouse.receive(EMMA, 2)
    await warehouse.reserve(order, {EMMA: 2})
    await warehouse.release(order)

    await warehouse.commit(order)

    assert (await warehouse.stock(EMMA)).on_hand == 2
    assert (await warehouse.answers(order))[-1] == ("stock-refused", {"reason": "released"})


async def test_a_commit_without_a_reservation_is_refused(warehouse: Any) -> None:
    order = uuid4()

    await warehouse.commit(order)

    assert await warehouse.answers(order) == [("stock-refused", {"reason": "not-reserved"})]


async def test_a_reservation_asked_for_again_after_expiry_holds_the_stock_anew(warehouse: Any) -> None:
    await _expired(warehouse, order := uuid4())

    await warehouse.reserve(order, {EMMA: 2})

    assert (await warehouse.stock(EMMA)).reserved == 2
    assert (await warehouse.answers(order))[-1] == ("stock-reserved", {"expires_at": "2025-03-01T12:30:00Z"})


async def test_a_release_after_expiry_is_final(warehouse: Any) -> None:
    await _expired(warehouse, order := uuid4())
    await warehouse.release(order)

    await warehouse.reserve(order, {EMMA: 2})

    assert (await warehouse.stock(EMMA)).reserved == 0
    assert (await warehouse.answers(order))[-1] == ("stock-refused", {"reason": "released"})


@pytest.mark.parametrize(
    "change", ["on_hand = -1", "reserved = on_hand + 1", "reserved = -1", "on_hand = received + 1"]
)
async def test_the_database_itself_refuses_impossible_stock(warehouse: Any, change: str) -> None:
    await warehouse.receive(EMMA, 2)

    async with warehouse.database.transaction() as connection:
        with pytest.raises(IntegrityError):
            await connection.execute(sa.text(f"UPDATE stock SET {change}"))  # noqa: S608 - the test's own text
        await connection.rollback()
