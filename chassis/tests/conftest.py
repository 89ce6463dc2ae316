"""Fixtures of the chassis' tests: the sample service, its database and a bus of its own."""

import contextlib
import random
import string
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import nats
import pytest
from nats.js.errors import NotFoundError

# Tests are imported by file (importlib mode): the sample service has to be findable, by Alembic too.
sys.path.append(str(Path(__file__).parent / "apps"))

from pydantic import SecretStr
from sample.main import Settings

from chassis.bus import Bus
from chassis.settings import BusSettings, DatabaseSettings
from chassis.storage import Database
from conftest import MakeDatabase, NatsServer, ServiceDatabase

NOWHERE = "127.0.0.1:1"


@pytest.fixture
async def sample_database(make_database: MakeDatabase) -> ServiceDatabase:
    """A migrated database of the sample service."""
    return await make_database("sample")


@pytest.fixture
async def database(sample_database: ServiceDatabase) -> AsyncIterator[Database]:
    """The sample service's pool."""
    pool = Database(
        DatabaseSettings(database_url=sample_database.url, database_password=SecretStr(sample_database.password))
    )
    yield pool
    await pool.stop()


@pytest.fixture
def namespace() -> str:
    """A namespace, and so a stream, that no other test has."""
    return "t" + "".join(random.choices(string.ascii_lowercase, k=10))


@pytest.fixture
async def bus_settings(nats_server: NatsServer, namespace: str) -> AsyncIterator[BusSettings]:
    """A namespace whose streams are deleted afterwards: each reserves its share of the disk."""
    yield BusSettings(
        nats_url=nats_server.url,
        nats_user=nats_server.user,
        nats_password=SecretStr(nats_server.password),
        namespace=namespace,
    )
    client = await nats.connect(nats_server.url, user=nats_server.user, password=nats_server.password)
    for stream in (namespace.upper(), f"{namespace.upper()}_DEAD"):
        with contextlib.suppress(NotFoundError):
            await client.jetstream().delete_stream(stream)
    await client.close()


@pytest.fixture
async def bus(bus_settings: BusSettings) -> AsyncIterator[Bus]:
    """A connected bus."""
    connection = Bus(bus_settings, "test")
    await connection.start()
    await connection.jetstream()
    yield connection
    await connection.stop()


@pytest.fixture
def settings(sample_database: ServiceDatabase, bus_settings: BusSettings) -> Settings:
    """The sample service's settings, with servers that are there."""
    return Settings(
        port=0,
        drain_seconds=0.3,
        database_url=sample_database.url,
        database_password=SecretStr(sample_database.password),
        **bus_settings.model_dump(),
    )


@pytest.fixture
def alone() -> Settings:
    """Settings of a service whose database and bus are absent."""
    return Settings(
        port=0,
        database_url=f"postgresql://sample@{NOWHERE}/sample",
        database_password=SecretStr("x"),
        nats_url=f"nats://{NOWHERE}",
    )
