"""Removes containers whose owner has died without removing them: a killed test session leaves nothing behind.

Like `deploy.local.guard` it waits at the far end of a pipe, which closes with its owner, however that ends. Ryuk, which
Testcontainers brings for this, can be switched off, and is one more image to be had.
"""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

LABEL = "banyan.test-server"
SEARCH_SECONDS = 3.0


@contextmanager
def swept(mark: str) -> Iterator[None]:
    """If the block raises or this process dies in it, all containers and networks with LABEL=`mark` are removed."""
    command = [sys.executable, "-P", __file__, mark]
    with subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True) as sweeper:
        yield
        sweeper.kill()


def _wait_and_sweep(mark: str) -> None:
    sys.stdin.read()
    limit = time.monotonic() + SEARCH_SECONDS
    # To the end, whatever was found before: the engine may still be at making the rest.
    while time.monotonic() < limit:
        _sweep(mark)
        time.sleep(0.2)


def _sweep(mark: str) -> None:
    # Not before they are needed: a sweeper mostly waits, and is killed.
    from docker.errors import APIError
    from testcontainers.core.docker_client import DockerClient

    client, mine = DockerClient().client, {"label": f"{LABEL}={mark}"}
    for container in client.containers.list(all=True, filters=mine):
        with suppress(APIError):
            container.remove(force=True, v=True)
    # Only now: a network with somebody on it stays.
    for network in client.networks.list(filters=mine):
        with suppress(APIError):
            network.remove()


if __name__ == "__main__":
    _wait_and_sweep(sys.argv[1])
