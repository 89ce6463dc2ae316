"""Fixtures: the old shop's tables on a real database, bridge over them, and a real bus that starts empty."""

import contextlib
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import nats
import pytest
from nats.js.errors import NotFoundError

from bridge.capture import install
from bridge.settings import Settings
from chassis.storage import Database
from services.bridge.tests.fakes import BRIDGE_KEY, HASH_KEY, TABLES, OldShop


@pytest.fixture
async def settings(make_database: Any) -> Settings:
    """The old shop's database with its tables; no bus: nobody listens on port 1."""
    own = await make_database("legacy", migrated=False)
    connection = await asyncpg.connect(own.url, password=own.password)
    await connection.execute(TABLES.read_text())
    await connection.close()
    return Settings(
        port=0,
        database_url=own.url,
        database_password=own.password,
        nats_url="nats://127.0.0.1:1",
        bridge_key=BRIDGE_KEY,
        hash_key=HASH_KEY,
        drain_seconds=0,
    )


@pytest.fixture
async def database(settings: Settings) -> AsyncIterator[Database]:
    """Bridge's way to the old shop's database, with the triggers at work."""
    database = Database(settings)
    async with database.transaction() as connection:
        await install(connection)
    yield database
    await database.stop()


@pytest.fixture
async def old_shop(settings: Settings, database: Database) -> AsyncIterator[OldShop]:
    password = settings.database_password.get_secret_value()
    async with asyncpg.create_pool(settings.database_url, password=password, min_size=1, max_size=6) as pool:
        yield OldShop(pool)


@pytest.fixture
async def on_bus(settings: Settings, nats_server: Any) -> AsyncIterator[Settings]:
    """The settings with a real bus, whose streams are new; and gone afterwards, for other services hear all of them."""
    login = {"nats_url": nats_server.url, "nats_user": nats_server.user, "nats_password": nats_server.password}
    await _delete_streams(nats_server)
    yield Settings.model_validate(settings.model_dump() | login)
    await _delete_streams(nats_server)


async def _delete_streams(nats_server: Any) -> None:
    client = await nats.connect(nats_server.url, user=nats_server.user, password=nats_server.password)
    for stream in ("SHOP", "SHOP_DEAD"):
        with contextlib.suppress(NotFoundError):
            await client.jetstream().delete_stream(stream)
    await client.close()
