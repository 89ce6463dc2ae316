"""How many connections are in use is told, so that a pool that is spent can be seen."""

from prometheus_client import REGISTRY

from chassis.storage import Database


def told(name: str) -> float | None:
    return REGISTRY.get_sample_value(name)


async def test_connections_in_use_are_counted(database: Database) -> None:
    assert told("database_pool_limit") == 10
    assert told("database_pool_in_use") == 0
    async with database.session(), database.transaction():
        assert told("database_pool_in_use") == 2
    assert told("database_pool_in_use") == 0
