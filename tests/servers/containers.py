"""PostgreSQL and NATS in containers, by Testcontainers: the images that production runs."""

import asyncio
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import asyncpg
from testcontainers.core.container import DockerContainer

from deploy.local import nats_config, servers
from tests.servers.contract import NOT_DURABLE, NatsServer, PostgresServer
from tests.servers.images import Images
from tests.servers.sweeper import LABEL, swept

POSTGRES_PORT, NATS_PORT = 5432, 4222
READY_SECONDS = 60.0
NATS_CONFIG = "/etc/nats/test.conf"
# As the embedded cluster is made: the locale is the server's own, and the password is asked for everywhere.
INITDB = (
    "--no-sync --encoding=UTF8 --locale=C --locale-provider=builtin --builtin-locale=C.UTF-8 --auth-host=scram-sha-256"
)


@dataclass(frozen=True)
class Containers:
    """Servers from `images`, which the engine has."""

    images: Images

    @contextmanager
    def postgres(self) -> Iterator[PostgresServer]:
        """See `Servers`."""
        password = secrets.token_hex(16)
        container = DockerContainer(self.images.postgres).with_command(["postgres", *_postgres_options()])
        container.with_envs(POSTGRES_PASSWORD=password, POSTGRES_INITDB_ARGS=INITDB)
        with _running(container, POSTGRES_PORT) as port:
            server = PostgresServer(port=port, password=password)
            _wait_until(lambda: asyncio.run(_postgres_answers(server)), container)
            yield server

    @contextmanager
    def nats(self) -> Iterator[NatsServer]:
        """See `Servers`."""
        user = nats_config.NatsUser("test", secrets.token_hex(16))
        config = nats_config.render(NATS_PORT, Path("/data/jetstream"), [user], host="0.0.0.0")  # noqa: S104
        container = DockerContainer(self.images.nats).with_command(["-c", NATS_CONFIG])
        container.with_copy_into_container(config.encode(), NATS_CONFIG)
        with _running(container, NATS_PORT) as port:
            _wait_until(lambda: servers.nats_ready(port), container)
            yield NatsServer(url=f"nats://{servers.LOOPBACK}:{port}", user=user.name, password=user.password)


def _postgres_options() -> list[str]:
    """As the embedded server is told, but for where it listens: the image's own socket serves its entry point."""
    settings = {**servers.POSTGRES_SETTINGS, **NOT_DURABLE, "listen_addresses": "*"}
    del settings["unix_socket_directories"]
    return [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]


@contextmanager
def _running(container: DockerContainer, port: int) -> Iterator[int]:
    """Run it for the time of the block; yields the port of the loopback interface that leads to its `port`."""
    mark = secrets.token_hex(8)
    container.with_kwargs(labels={LABEL: mark})
    # Testcontainers itself publishes on every interface; 0 is a port of the engine's choice. It hands this on as it
    # is, though it declares numbers only.
    container.ports = cast("dict[str, int | None]", {f"{port}/tcp": (servers.LOOPBACK, 0)})
    with swept(mark), container:
        yield _published(container, port)


def _published(container: DockerContainer, port: int) -> int:
    try:
        return int(container.get_docker_client().port(container.get_container_id(), port))
    except ConnectionError as ended:  # an ended container publishes nothing
        raise _failure(container) from ended


async def _postgres_answers(server: PostgresServer) -> bool:
    """Over TCP: while it makes the cluster, the entry point runs a server that listens on its socket only."""
    try:
        connection = await asyncpg.connect(server.url(), password=server.password, timeout=2)
    except (OSError, TimeoutError, asyncpg.CannotConnectNowError):
        return False
    await connection.close()
    return True


def _wait_until(ready: Callable[[], bool], container: DockerContainer) -> None:
    limit = time.monotonic() + READY_SECONDS
    while not ready():
        container.reload()
        if container.status != "running" or time.monotonic() > limit:
            raise _failure(container)
        time.sleep(0.05)


def _failure(container: DockerContainer) -> servers.ServerFailedError:
    log = b"".join(container.get_logs()).decode(errors="replace")
    ending = "\n".join(log.splitlines()[-15:])
    return servers.ServerFailedError(f"{container.image} did not become ready:\n{ending}")
