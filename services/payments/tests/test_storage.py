"""Payments in real PostgreSQL: one row an order, no lost update, one effect a message."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import create_async_engine

from chassis.inbox import AlreadyHandled
from chassis.storage import Database, database_url
from payments.domain import Charged, Overtaken, Payment
from payments.messaging import to_message
from payments.settings import Settings
from payments.storage import SqlStorage, metadata

NOW = datetime(2025, 1, 1, tzinfo=UTC)


def opened() -> Payment:
    return Payment.open(uuid4(), uuid4(), 1299, "EUR", "tok_ok", NOW)


@pytest.fixture
def storage(database: Database) -> SqlStorage:
    return SqlStorage(database, to_message)


async def conclude(storage: SqlStorage, payment: Payment, message_id: UUID | None = None) -> None:
    async with storage.begin(handling=message_id or uuid4()) as work:
        await work.replace(payment)
        await work.publish(payment.answer_to_charge())


async def outbox_rows(database: Database) -> int:
    async with database.autocommit() as connection:
        return int(await connection.scalar(sa.text("SELECT count(*) FROM outbox")) or 0)


async def test_the_migrations_make_the_schema_that_the_code_expects(settings: Settings) -> None:
    url = database_url(settings.database_url, settings.database_password.get_secret_value())
    engine = create_async_engine(url)
    async with engine.connect() as connection:
        found = await connection.run_sync(lambda c: compare_metadata(MigrationContext.configure(c), metadata))
    await engine.dispose()
    assert found == []


async def test_a_payment_is_read_back_as_it_was_written(storage: SqlStorage) -> None:
    payment = opened()
    await storage.add_first(payment)
    assert await storage.load(payment.order_id) == payment
    settled = payment.settle(Charged(uuid4()), NOW)
    await conclude(storage, settled)
    assert await storage.load(payment.order_id) == settled


async def test_of_many_first_deliveries_at_once_one_is_the_first(storage: SqlStorage) -> None:
    payment = opened()
    first = await asyncio.gather(*(storage.add_first(payment) for _ in range(8)))
    assert sorted(first) == [False] * 7 + [True]


async def test_of_many_outcomes_at_once_one_is_stored_and_told(storage: SqlStorage, database: Database) -> None:
    payment = opened()
    await storage.add_first(payment)
    settled = payment.settle(Charged(uuid4()), NOW)
    ends = await asyncio.gather(*(conclude(storage, settled) for _ in range(6)), return_exceptions=True)
    assert [type(end) for end in ends if end is not None] == [Overtaken] * 5
    assert await outbox_rows(database) == 1


async def test_a_message_delivered_to_two_replicas_at_once_has_one_effect(
    storage: SqlStorage, database: Database
) -> None:
    payment, message_id = opened(), uuid4()
    await storage.add_first(payment)
    settled = payment.settle(Charged(uuid4()), NOW)
    ends = await asyncio.gather(*(conclude(storage, settled, message_id) for _ in range(6)), return_exceptions=True)
    assert [type(end) for end in ends if end is not None] == [AlreadyHandled] * 5
    assert await outbox_rows(database) == 1


async def test_what_was_overtaken_leaves_no_trace_and_may_be_delivered_again(
    storage: SqlStorage, database: Database
) -> None:
    payment, message_id = opened(), uuid4()
    await storage.add_first(payment)
    stale = replace(payment.settle(Charged(uuid4()), NOW), version=7)
    with pytest.raises(Overtaken):
        await conclude(storage, stale, message_id)
    await conclude(storage, payment.settle(Charged(uuid4()), NOW), message_id)
    assert await outbox_rows(database) == 1


@pytest.mark.parametrize(
    "change",
    [
        "state = 'charged', card_token = NULL",
        "state = 'declined'",
        "amount = -1",
        "state = 'unheard-of', card_token = NULL",
    ],
)
async def test_the_database_refuses_a_payment_that_cannot_be(
    storage: SqlStorage, database: Database, change: str
) -> None:
    await storage.add_first(opened())
    async with database.autocommit() as connection:
        with pytest.raises(IntegrityError):
            await connection.execute(sa.text(f"UPDATE payment SET {change}"))  # noqa: S608 - the test's own words
