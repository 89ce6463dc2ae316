"""The schema that the migrations make, and what is forgotten in it."""

from typing import Any
from uuid import UUID

import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from chassis.storage import Database
from identity.settings import Settings
from identity.storage import SqlStorage, metadata


def _differences(connection: sa.Connection) -> Any:
    return compare_metadata(MigrationContext.configure(connection), metadata)


async def test_the_migrations_make_what_the_code_expects(settings: Settings) -> None:
    database = Database(settings)
    async with database.transaction() as connection:
        differences = await connection.run_sync(_differences)
    await database.stop()
    assert differences == []


async def test_an_account_that_the_code_before_numbers_adds_gets_one(settings: Settings) -> None:
    """A new schema meets the old code for as long as a deployment takes."""
    database = Database(settings)
    written = (
        "INSERT INTO account (id, email, name, password_hash, operator) VALUES (:id, 'a@b.example', 'A', 'x', false)"
    )
    async with database.autocommit() as connection:
        await connection.execute(sa.text(written), {"id": UUID(int=1)})
    account = await SqlStorage(database).account(UUID(int=1))
    await database.stop()
    assert account is not None
    assert (account.number, account.legacy_version) == (1_000_001, 0)


async def test_old_attempts_and_keys_are_forgotten_and_young_ones_are_not(site: Any, settings: Settings) -> None:
    for n, key in enumerate(("old", "young")):
        await site.register(key, email=f"{n}@example.org")
        await site.log_in(f"{n}@example.org", "a wrong password", f"192.0.2.{n}")
    database = Database(settings)
    async with database.transaction() as connection:
        key = "UPDATE idempotency_key SET claimed_at = now() - interval '2 days' WHERE key = 'old'"
        attempt = "UPDATE login_attempt SET last_attempt = now() - interval '2 h' WHERE subject = 'address:192.0.2.0'"
        for ageing in (key, attempt):
            await connection.execute(sa.text(ageing))
    await SqlStorage(database).forget_old()
    async with database.autocommit() as connection:
        keys = (await connection.scalars(sa.text("SELECT key FROM idempotency_key"))).all()
        subjects = (await connection.scalars(sa.text("SELECT subject FROM login_attempt"))).all()
    await database.stop()
    assert keys == ["young"]
    assert "address:192.0.2.0" not in subjects
    assert "address:192.0.2.1" in subjects
