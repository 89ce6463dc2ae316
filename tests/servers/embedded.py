"""PostgreSQL and NATS from their PyPI wheels, as processes of this machine: nothing to install, no Docker."""

import secrets
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from deploy.local import guard, nats_config, servers
from tests.servers.contract import NOT_DURABLE, NatsServer, PostgresServer


@dataclass(frozen=True)
class Embedded:
    """Servers whose files lie in `folder`."""

    folder: Path

    @contextmanager
    def postgres(self) -> Iterator[PostgresServer]:
        """See `Servers`."""
        folder, password = self.folder / "postgres", secrets.token_hex(16)
        servers.prepare_postgres(folder, password, ["--no-sync"])
        process, port = _on_free_port(lambda port: servers.start_postgres(folder, port, NOT_DURABLE))
        with guard.guarded(process, folder):
            yield PostgresServer(port=port, password=password)
        servers.stop(process, signal.SIGQUIT)

    @contextmanager
    def nats(self) -> Iterator[NatsServer]:
        """See `Servers`."""
        config = self.folder / "nats.conf"
        user = nats_config.NatsUser("test", secrets.token_hex(16))

        def start(port: int) -> subprocess.Popen[bytes]:
            config.write_text(nats_config.render(port, self.folder / "jetstream", [user]))
            return servers.start_nats(config, port)

        process, port = _on_free_port(start)
        with guard.guarded(process, self.folder):
            yield NatsServer(url=f"nats://{servers.LOOPBACK}:{port}", user=user.name, password=user.password)
        servers.stop(process, signal.SIGKILL)


def _on_free_port(start: Callable[[int], subprocess.Popen[bytes]]) -> tuple[subprocess.Popen[bytes], int]:
    """Start on a free port; try others, since between asking and listening somebody may have taken it."""
    for _ in range(2):
        port = servers.free_port()
        try:
            return start(port), port
        except servers.ServerFailedError as failure:
            print(failure)  # pytest shows it with the test that needed the server
    port = servers.free_port()
    return start(port), port
