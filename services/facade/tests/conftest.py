"""Fixtures: replicas of the facade over one real PostgreSQL, each with its own connections, and a fake bridge."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from chassis.storage import Database
from conftest import MakeDatabase
from facade.application import Wish
from facade.domain import Capability, Stage
from facade.settings import Settings
from services.facade.tests.replicas import FakeBridge, MakeReplica, Replica, running, until


@pytest.fixture
async def settings(make_database: MakeDatabase) -> Settings:
    """A fresh database, and nobody else there."""
    database = await make_database("facade")
    nobody = "http://127.0.0.1:1"
    return Settings.model_validate(
        {
            "port": 0,
            "database_url": database.url,
            "database_password": database.password,
            "jwks_url": f"{nobody}/unused",
            **{f"{name}_url": nobody for name in ("legacy", "catalog", "inventory", "orders", "identity", "bridge")},
            **{f"{name}_key": "a" * 43 for name in ("session", "exchange", "bridge")},
        }
    )


@pytest.fixture
async def database(settings: Settings) -> AsyncIterator[Database]:
    pool = Database(settings)
    yield pool
    await pool.stop()


@pytest.fixture
def bridge() -> FakeBridge:
    return FakeBridge()


@pytest.fixture
async def make_replica(settings: Settings, bridge: FakeBridge) -> AsyncIterator[MakeReplica]:
    """`await make_replica()`: one more replica, running and allowed to write."""
    async with AsyncExitStack() as stack:

        async def make() -> Replica:
            return await stack.enter_async_context(running(settings, bridge))

        yield make


@pytest.fixture
async def replica(make_replica: MakeReplica) -> Replica:
    return await make_replica()


@pytest.fixture
async def shadowed(replica: Replica) -> Replica:
    """A replica whose capabilities are in shadow, with enough evidence to go on."""
    for capability in Capability:
        await replica.migration.move(capability, Wish(Stage.SHADOW), "test")
    await until(lambda: all(replica.watch.of(each).stage is Stage.SHADOW for each in Capability))
    for capability in Capability:
        await replica.compared(capability)
    return replica
