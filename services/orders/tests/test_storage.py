"""Two transactions that want the same order at once, in PostgreSQL."""

import asyncio
import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
import sqlalchemy as sa
from prometheus_client import REGISTRY

from chassis.storage import Database, DatabaseUnavailable
from orders import messaging, observe
from orders.application import Catalog, Orders
from orders.domain import Line, Money, Order, OrderState, PriceSource
from orders.saga import Checkout, Direction
from orders.settings import Settings
from orders.storage import SqlStorage
from orders.storage.tables import saga

NOWHERE = "postgresql://orders@127.0.0.1:1/orders"
NOW = datetime(2025, 1, 1, tzinfo=UTC)


def placed() -> Order:
    lines = (Line("9781999900007", "Middlemarch", 1, Money(1299, "EUR")),)
    return Order(uuid4(), uuid4(), "tok_ok", lines, Money(1299, "EUR"), PriceSource.CATALOG, NOW, NOW)


async def somebody_waits(database: Database) -> None:
    """Poll until a transaction waits for another one's lock."""
    waiting = sa.text("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
    async with asyncio.timeout(5), database.autocommit() as connection:
        while not await connection.scalar(waiting):
            await asyncio.sleep(0.01)


async def test_of_two_cancellations_at_once_the_second_is_as_good_as_the_first(
    settings: Settings, catalog: Catalog
) -> None:
    database = Database(settings)
    storage, checkout = SqlStorage(database, messaging.to_message), Checkout()
    use_cases = Orders(storage, catalog, new_id=uuid4)
    order = placed()
    async with storage.begin() as work:
        await work.add(order, checkout.begin(order.id, NOW).saga, ["placed"])
    async with storage.begin() as first:
        loaded = await first.load(order.id)
        assert loaded is not None
        second = asyncio.create_task(use_cases.cancel(order.id, order.customer_id))
        await somebody_waits(database)
        move = checkout.cancelled(loaded[1], "changed my mind", NOW)
        assert move is not None
        await first.save(order.start_cancelling("changed my mind", NOW), move.saga, ["cancelling"], NOW)
    assert ((await second).state, (await second).reason) == (OrderState.CANCELLING, "changed my mind")
    await database.stop()


async def test_the_card_is_forgotten_as_soon_as_nobody_is_to_be_charged(settings: Settings) -> None:
    database = Database(settings)
    storage = SqlStorage(database, messaging.to_message)
    order = placed()
    begun = Checkout().begin(order.id, NOW).saga
    async with storage.begin() as work:
        await work.add(order, begun, ["placed"])
        await work.save(order.start_cancelling("changed my mind", NOW), begun, [], NOW)
    stored = await storage.order(order.id)
    await database.stop()
    assert stored is not None
    assert stored.card_token is None


def measured(name: str, **labels: str) -> float:
    value = REGISTRY.get_sample_value(name, labels)
    assert value is not None
    return value


async def test_checkouts_that_have_not_ended_are_measured(settings: Settings) -> None:
    database = Database(settings)
    storage, checkout = SqlStorage(database, messaging.to_message), Checkout()
    now = datetime.now(UTC)
    ages = {Direction.FORWARD: 40, Direction.BACKWARD: 90, Direction.ENDED: 5000}
    for direction, age in ages.items():
        order = replace(placed(), placed_at=now - timedelta(seconds=age))
        async with storage.begin() as work:
            await work.add(order, replace(checkout.begin(order.id, now).saga, direction=direction), ["placed"])
    await observe.measure(storage)
    assert 90 <= measured("saga_oldest_age_seconds") < 100
    assert measured("saga_open", direction="forward") == measured("saga_open", direction="backward") == 1
    async with database.transaction() as connection:
        await connection.execute(sa.update(saga).values(direction="ended"))
    await observe.measure(storage)
    assert measured("saga_oldest_age_seconds") == 0
    assert measured("saga_open", direction="backward") == 0
    await database.stop()


async def test_while_the_database_does_not_answer_there_is_no_old_number(settings: Settings) -> None:
    database, absent = Database(settings), Database(settings.model_copy(update={"database_url": NOWHERE}))
    await observe.measure(SqlStorage(database, messaging.to_message))
    assert measured("saga_oldest_age_seconds") == measured("saga_open", direction="forward") == 0
    with pytest.raises(DatabaseUnavailable):
        await observe.measure(SqlStorage(absent, messaging.to_message))
    assert math.isnan(measured("saga_oldest_age_seconds"))
    assert REGISTRY.get_sample_value("saga_open", {"direction": "forward"}) is None
    await database.stop()
