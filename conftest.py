"""Fixtures for tests that claim to test PostgreSQL and NATS: the real servers, one of each a session.

TEST_SERVERS chooses how they run: `tests/servers`.
"""

import os
import secrets
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import pytest

import chassis  # noqa: F401 - known before pytest takes the folder chassis/ for the package of that name

# Tests are imported by file (importlib mode), so the root is on the path only when pytest runs as a module.
sys.path.insert(0, str(Path(__file__).parent))

from tests.servers import choice
from tests.servers.contract import NatsServer, PostgresServer, Servers
from tests.servers.embedded import Embedded
from tests.servers.images import Images

__all__ = ["MakeDatabase", "NatsServer", "PostgresServer", "ServiceDatabase"]


@dataclass(frozen=True)
class ServiceDatabase:
    """One service's own database: `url` names its role, the password is apart, as in the settings."""

    url: str
    password: str


MakeDatabase = Callable[..., Awaitable[ServiceDatabase]]


@pytest.hookimpl(trylast=True)  # the terminal's own plug-in comes first, to tell what is fetched
def pytest_configure(config: pytest.Config) -> None:
    """Choose the servers once: the workers of pytest-xdist are told."""
    told = getattr(config, "workerinput", {}).get("servers")
    config.stash[choice.CHOICE] = (
        choice.Choice(choice.Kind(told), Images.named_in(os.environ)) if told else _chosen(config)
    )


def _chosen(config: pytest.Config) -> choice.Choice:
    terminal = config.pluginmanager.get_plugin("terminalreporter")

    def obtain(images: Images) -> None:
        from tests.servers import engine  # slow to import, and the embedded servers do without

        engine.obtain(images, terminal.write_line if terminal else print)

    try:
        return choice.choose(os.environ, obtain)
    except choice.NotChosenError as error:
        raise pytest.UsageError(str(error)) from error


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """What pytest-xdist calls for each of its workers."""
    node.workerinput["servers"] = str(node.config.stash[choice.CHOICE].kind)


def pytest_report_header(config: pytest.Config) -> str:
    """Which servers: a figure or a failure may depend on it."""
    return f"servers: {config.stash[choice.CHOICE]}"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whatever comes to the servers by its fixtures is an integration test."""
    for item in items:
        if "servers" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.integration)


@pytest.fixture(scope="session")
def server_folder() -> Iterator[Path]:
    """A folder that PostgreSQL's account may pass through when the tests run as root."""
    with tempfile.TemporaryDirectory(prefix="banyan-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


@pytest.fixture(scope="session")
def servers(pytestconfig: pytest.Config, server_folder: Path) -> Servers:
    """How this session runs PostgreSQL and NATS; each worker of pytest-xdist has its own."""
    chosen = pytestconfig.stash[choice.CHOICE]
    if chosen.kind is choice.Kind.EMBEDDED:
        return Embedded(server_folder)
    from tests.servers.containers import Containers

    return Containers(chosen.images)


@pytest.fixture(scope="session")
def postgres_server(servers: Servers) -> Iterator[PostgresServer]:
    """PostgreSQL on a port that the system chose. Not durable: nothing here outlives the session."""
    with servers.postgres() as server:
        yield server


@pytest.fixture(scope="session")
def nats_server(servers: Servers) -> Iterator[NatsServer]:
    """NATS with JetStream, synced at every message as in production, on a port that the system chose."""
    with servers.nats() as server:
        yield server


@pytest.fixture
async def make_database(postgres_server: PostgresServer) -> AsyncIterator[MakeDatabase]:
    """`await make_database("orders")`: a fresh role with a database of its own, at the newest migration.

    With `migrated=False` it is empty.
    """
    names: list[str] = []

    async def make(service: str, *, migrated: bool = True) -> ServiceDatabase:
        name, password = f"{service}_{secrets.token_hex(4)}", secrets.token_hex(8)
        await _execute(
            postgres_server,
            f"CREATE ROLE {name} LOGIN PASSWORD '{password}'",
            f"CREATE DATABASE {name} OWNER {name}",
            f"REVOKE CONNECT ON DATABASE {name} FROM PUBLIC",
        )
        names.append(name)
        database = ServiceDatabase(postgres_server.url(name, name), password)
        if migrated:
            from chassis.migrate import upgrade  # slow to import, and few test files need it

            await upgrade(service, database.url, database.password)
        return database

    yield make
    for name in names:
        await _execute(postgres_server, f"DROP DATABASE {name} WITH (FORCE)", f"DROP ROLE {name}")


async def _execute(server: PostgresServer, *statements: str) -> None:
    connection = await asyncpg.connect(server.url(), password=server.password)
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()
