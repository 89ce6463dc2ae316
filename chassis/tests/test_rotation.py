"""Secrets that are rotated while the service runs: the next connection is made with the new one."""

import asyncio
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from pydantic import SecretStr
from sample.waiting import until

from chassis.bus import Bus
from chassis.errors import DependencyUnavailable
from chassis.settings import BusSettings, DatabaseSettings
from chassis.storage import Database, DatabaseUnavailable
from conftest import MakeDatabase
from deploy.local import nats_config, servers
from tests.servers.mounted import Mounted


async def _answers(database: Database) -> bool:
    async with database.autocommit() as connection:
        return bool(await connection.scalar(sa.text("SELECT 1")) == 1)


async def test_a_rotated_database_password_is_used_by_the_next_connection(
    make_database: MakeDatabase, tmp_path: Path
) -> None:
    made = await make_database("sample")
    mounted = Mounted(tmp_path / "secrets", {"database_password": made.password})
    at_start = SecretStr(made.password)
    database = Database(
        DatabaseSettings(database_url=made.url, database_password=at_start, secrets_dir=mounted.path), time_limit=5
    )
    async with database.session() as standing:
        await standing.execute(sa.text("ALTER ROLE CURRENT_USER PASSWORD 'of-today'"))
        # The files come some time after the server knows: work is put off until then, and is not called a failure.
        with pytest.raises(DatabaseUnavailable, match="refuses the password"):
            await _answers(database)
        mounted.replace({"database_password": "of-today\n"})
        assert await _answers(database)
        assert await standing.scalar(sa.text("SELECT 1")) == 1, "connections that stand are left alone"
    await database.stop()


class Reloading:
    """A NATS server whose one user gets another password, as an operator would give it."""

    def __init__(self, folder: Path) -> None:
        self.port = servers.free_port()
        self._folder = folder
        self._configure("of-yesterday")
        self.process = servers.start_nats(folder / "nats.conf", self.port)

    def _configure(self, password: str) -> None:
        users = [nats_config.NatsUser("sample", password)]
        (self._folder / "nats.conf").write_text(nats_config.render(self.port, self._folder / "store", users))

    def rotate(self, password: str) -> None:
        """Who is connected by the old password loses the connection."""
        self._configure(password)
        self.process.send_signal(signal.SIGHUP)  # what `nats-server --signal reload` sends


@pytest.fixture
def reloading(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reloading]:
    server = Reloading(tmp_path_factory.mktemp("nats"))
    yield server
    servers.stop(server.process, signal.SIGKILL)


async def test_a_rotated_password_of_the_bus_is_used_by_the_next_connection(
    reloading: Reloading, tmp_path: Path
) -> None:
    mounted = Mounted(tmp_path / "secrets", {"nats_password": "of-yesterday"})
    settings = BusSettings(
        nats_url=f"nats://127.0.0.1:{reloading.port}",
        nats_user="sample",
        nats_password=SecretStr("of-yesterday"),
        secrets_dir=mounted.path,
    )
    bus = Bus(settings, "sample")
    await bus.start()
    await bus.jetstream()
    assert await _published(bus, "1")
    reloading.rotate("of-today")
    await until(lambda: _refused(bus))
    mounted.replace({"nats_password": "of-today\n"})
    await until(lambda: _published(bus, "2"))
    assert bus.alive
    await bus.stop()


async def _published(bus: Bus, message_id: str) -> bool:
    try:
        async with asyncio.timeout(1):
            await bus.publish("shop.sample.noted.v1", message_id, b"{}")
    except (DependencyUnavailable, TimeoutError):
        return False
    return True


async def _refused(bus: Bus) -> bool:
    return not await _published(bus, "refused")
