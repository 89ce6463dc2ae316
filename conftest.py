"""Fixtures for tests that claim to test PostgreSQL and NATS: the real servers, one of each a session."""

import secrets
import signal
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import pytest

import chassis  # noqa: F401 - known before pytest takes the folder chassis/ for the package of that name

# Tests are imported by file (importlib mode), so the root is on the path only when pytest runs as a module.
sys.path.insert(0, str(Path(__file__).parent))

from deploy.local import guard, nats_config, servers


@dataclass(frozen=True)
class PostgresServer:
    """A running cluster; `url(database)` is the superuser's, without the password."""

    port: int
    password: str

    def url(self, database: str = "postgres", role: str = servers.SUPERUSER) -> str:
        return f"postgresql://{role}@{servers.LOOPBACK}:{self.port}/{database}"


@dataclass(frozen=True)
class NatsServer:
    """A running NATS server with JetStream and one account that may do everything."""

    url: str
    user: str
    password: str


@dataclass(frozen=True)
class ServiceDatabase:
    """One service's own database: `url` names its role, the password is apart, as in the settings."""

    url: str
    password: str


MakeDatabase = Callable[..., Awaitable[ServiceDatabase]]


@pytest.fixture(scope="session")
def server_folder() -> Iterator[Path]:
    """A folder that PostgreSQL's account may pass through when the tests run as root."""
    with tempfile.TemporaryDirectory(prefix="banyan-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


@pytest.fixture(scope="session")
def postgres_server(server_folder: Path) -> Iterator[PostgresServer]:
    """PostgreSQL on a port that the system chose. Not durable: nothing here outlives the session."""
    folder, password = server_folder / "postgres", secrets.token_hex(16)
    servers.prepare_postgres(folder, password, ["--no-sync"])
    unsafe = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
    process, port = _on_free_port(lambda port: servers.start_postgres(folder, port, unsafe))
    with guard.guarded(process, folder):
        yield PostgresServer(port=port, password=password)
    servers.stop(process, signal.SIGQUIT)


@pytest.fixture(scope="session")
def nats_server(server_folder: Path) -> Iterator[NatsServer]:
    """NATS with JetStream, synced at every message as in production, on a port that the system chose."""
    config = server_folder / "nats.conf"
    user = nats_config.NatsUser("test", secrets.token_hex(16))

    def start(port: int) -> subprocess.Popen[bytes]:
        config.write_text(nats_config.render(port, server_folder / "jetstream", [user]))
        return servers.start_nats(config, port)

    process, port = _on_free_port(start)
    with guard.guarded(process, server_folder):
        yield NatsServer(url=f"nats://{servers.LOOPBACK}:{port}", user=user.name, password=user.password)
    servers.stop(process, signal.SIGKILL)


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


def _on_free_port(start: Callable[[int], subprocess.Popen[bytes]]) -> tuple[subprocess.Popen[bytes], int]:
    """Start on a free port; try others, since between asking and listening somebody may have taken it."""
    for _ in range(2):
        port = servers.free_port()
        try:
            return start(port), port
        except servers.ServerFailedError as failure:
            print(failure)  # noqa: T201  (pytest shows it with the test that needed the server)
    port = servers.free_port()
    return start(port), port


async def _execute(server: PostgresServer, *statements: str) -> None:
    connection = await asyncpg.connect(server.url(), password=server.password)
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()
