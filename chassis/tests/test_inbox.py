"""A message that is delivered twice takes effect once."""

import asyncio
from uuid import UUID

import pytest
import sqlalchemy as sa
from sample.storage import inbox, note
from uuid_utils.compat import uuid7

from chassis.inbox import AlreadyHandled, Inbox
from chassis.storage import Database


async def handle(database: Database, message: UUID, *, fail: bool = False) -> None:
    async with database.transaction() as connection:
        await Inbox(inbox).accept(connection, message)
        await connection.execute(sa.insert(note).values(text="effect"))
        if fail:
            raise LookupError


async def effects(database: Database) -> int:
    async with database.autocommit() as connection:
        return await connection.scalar(sa.select(sa.func.count()).select_from(note)) or 0


async def test_a_second_delivery_has_no_effect(database: Database) -> None:
    message = uuid7()
    await handle(database, message)
    with pytest.raises(AlreadyHandled):
        await handle(database, message)
    assert await effects(database) == 1


async def test_two_deliveries_at_once_have_one_effect(database: Database) -> None:
    message = uuid7()
    outcomes = await asyncio.gather(*(handle(database, message) for _ in range(5)), return_exceptions=True)
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["AlreadyHandled"] * 4 + ["NoneType"]
    assert await effects(database) == 1


async def test_a_delivery_whose_handler_failed_may_come_again(database: Database) -> None:
    message = uuid7()
    with pytest.raises(LookupError):
        await handle(database, message, fail=True)
    await handle(database, message)
    assert await effects(database) == 1


async def test_ids_are_forgotten_after_the_stream_has_forgotten_the_messages(database: Database) -> None:
    old, new = uuid7(), uuid7()
    await handle(database, old)
    await handle(database, new)
    async with database.transaction() as connection:
        aged = sa.update(inbox).where(inbox.c.message_id == old)
        await connection.execute(aged.values(handled_at=sa.func.now() - sa.text("interval '8 days'")))
        await Inbox(inbox).forget_old(connection)
        assert (await connection.scalars(sa.select(inbox.c.message_id))).all() == [new]
