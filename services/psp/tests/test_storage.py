"""The ledger's own guards, below all code."""

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import create_async_engine

from chassis.storage import database_url
from conftest import MakeDatabase
from psp.storage import metadata

_CHARGE = "INSERT INTO charge (id, key, amount, currency, card_token, state, refunded, created_at) VALUES "


async def test_the_migrations_make_the_schema_that_the_code_expects(make_database: MakeDatabase) -> None:
    database = await make_database("psp")
    engine = create_async_engine(database_url(database.url, database.password))
    async with engine.connect() as connection:
        found = await connection.run_sync(lambda c: compare_metadata(MigrationContext.configure(c), metadata))
    await engine.dispose()
    assert found == []


@pytest.mark.parametrize(
    "values",
    [
        "(gen_random_uuid(), 'a', 10, 'EUR', 't', 'charged', 11, now())",
        "(gen_random_uuid(), 'a', 10, 'EUR', 't', 'declined', 1, now())",
        "(gen_random_uuid(), 'a', 0, 'EUR', 't', 'charged', 0, now())",
    ],
)
async def test_the_database_refuses_a_ledger_that_does_not_add_up(make_database: MakeDatabase, values: str) -> None:
    database = await make_database("psp")
    engine = create_async_engine(database_url(database.url, database.password))
    async with engine.connect() as connection:
        with pytest.raises(IntegrityError):
            await connection.execute(sa.text(_CHARGE + values))
    await engine.dispose()
