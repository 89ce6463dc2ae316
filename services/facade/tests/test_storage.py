"""The migration on real PostgreSQL, and what storage keeps and forgets."""

from typing import Any

import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from chassis.storage import Database
from facade.application import Wish
from facade.domain import Capability, Stage
from facade.placing import PlacedOrders
from facade.storage import SqlPresence, SqlStorage, metadata
from services.facade.tests.replicas import Replica


async def test_the_migrations_make_the_tables_that_the_code_believes_in(database: Database) -> None:
    def differences(connection: sa.Connection) -> list[Any]:
        return list(compare_metadata(MigrationContext.configure(connection), metadata))

    async with database.transaction() as connection:
        assert await connection.run_sync(differences) == []


async def test_everything_begins_with_the_old_shop(database: Database) -> None:
    standings, bug = await SqlStorage(database).standings()
    assert {each: standing.stage for each, standing in standings.items()} == dict.fromkeys(Capability, Stage.LEGACY)
    assert bug is None


async def test_orders_are_noted_once_and_forgotten_after_a_while(database: Database) -> None:
    presence = SqlPresence(database)
    for number in (1_000_001, 1_000_001, 1_000_002):
        await presence.note(number)
    assert sorted(await presence.placed_within(60)) == [1_000_001, 1_000_002]
    async with database.autocommit() as connection:
        await connection.execute(sa.text("UPDATE placed SET at = now() - interval '2 hours' WHERE number = 1000001"))
    assert await presence.placed_within(60) == [1_000_002]
    await presence.forget_old()
    async with database.autocommit() as connection:
        assert await connection.scalar(sa.text("SELECT count(*) FROM placed")) == 1


async def test_samples_are_forgotten_when_comparing_has_begun_anew(shadowed: Replica) -> None:
    async def kept() -> int:
        async with shadowed.database.autocommit() as connection:
            return int(await connection.scalar(sa.text("SELECT count(*) FROM mismatch")))

    await shadowed.compared(Capability.CATALOG, different=2)
    await shadowed.compared(Capability.ORDERS, different=1)
    await shadowed.presence.forget_old()
    assert await kept() == 3
    for stage in (Stage.LEGACY, Stage.SHADOW):
        await shadowed.migration.move(Capability.CATALOG, Wish(stage), "test")
    await shadowed.presence.forget_old()
    assert await kept() == 1


async def test_an_order_stays_placed_when_it_cannot_be_noted() -> None:
    class LostNotes:
        async def note(self, number: int) -> None:
            raise OSError("no database")

    await PlacedOrders(LostNotes()).placed(1_000_001)
