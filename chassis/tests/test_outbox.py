"""A message is there if, and only if, the change that it tells of was committed."""

import asyncpg
import pytest
import sqlalchemy as sa
from sample.main import Notes
from sample.storage import note, outbox

from chassis.messages import Message
from chassis.outbox import Outbox
from chassis.storage import Database


async def count(database: Database, table: sa.Table) -> int:
    async with database.autocommit() as connection:
        return await connection.scalar(sa.select(sa.func.count()).select_from(table)) or 0


async def test_a_change_and_its_message_are_committed_together(database: Database) -> None:
    await Notes(database, "shop.sample.noted.v1").add("kept")
    assert (await count(database, note), await count(database, outbox)) == (1, 1)


async def test_a_change_that_is_rolled_back_leaves_no_message(database: Database) -> None:
    async def change_and_fail() -> None:
        async with database.transaction() as connection:
            await connection.execute(sa.insert(note).values(text="lost"))
            await Outbox(outbox).add(connection, Message.new("shop.sample.noted.v1", "a", 1, {}))
            raise LookupError

    with pytest.raises(LookupError):
        await change_and_fail()
    assert (await count(database, note), await count(database, outbox)) == (0, 0)


async def test_a_message_is_stored_once(database: Database) -> None:
    message = Message.new("shop.sample.noted.v1", "a", 1, {})
    with pytest.raises(sa.exc.IntegrityError) as refused:
        async with database.transaction() as connection:
            await Outbox(outbox).add(connection, message, message)
    assert isinstance(refused.value.orig.__cause__, asyncpg.UniqueViolationError)  # type: ignore[union-attr]


async def test_messages_keep_the_order_in_which_they_were_given(database: Database) -> None:
    messages = [Message.new("shop.sample.noted.v1", "a", number, {}) for number in range(50)]
    async with database.transaction() as connection:
        await Outbox(outbox).add(connection, *messages)
        await Outbox(outbox).add(connection)  # and none is nothing
    async with database.autocommit() as connection:
        stored = (await connection.scalars(sa.select(outbox.c.message_id).order_by(outbox.c.id))).all()
    assert list(stored) == [message.id for message in messages]
