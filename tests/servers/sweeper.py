"""Removes a container whose owner has died without removing it: a killed test session leaves nothing behind.

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
    """If the block raises or this process dies in it, the container with the label LABEL=`mark` is removed."""
    command = [sys.executable, "-P", __file__, mark]
    with subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True) as sweeper:
        yield
        sweeper.kill()


def _wait_and_sweep(mark: str) -> None:
    sys.stdin.read()
    limit = time.monotonic() + SEARCH_SECONDS
    # The engine may still be at making it.
    while not _sweep(mark) and time.monotonic() < limit:
        time.sleep(0.2)


def _sweep(mark: str) -> bool:
    # Not before they are needed: a sweeper mostly waits, and is killed.
    from docker.errors import NotFound
    from testcontainers.core.docker_client import DockerClient

    found = DockerClient().client.containers.list(all=True, filters={"label": f"{LABEL}={mark}"})
    for container in found:
        with suppress(NotFound):
            container.remove(force=True, v=True)
    return bool(found)


if __name__ == "__main__":
    _wait_and_sweep(sys.argv[1])
