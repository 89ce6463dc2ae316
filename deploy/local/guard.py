"""Ends a server whose owner has died without ending it: a killed test session leaves nothing behind.

It waits at the far end of a pipe, which closes with its owner, however that ends; that works on Linux and macOS alike.
"""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def guarded(process: "subprocess.Popen[bytes]", folder: Path) -> Iterator[None]:
    """While this process lives nothing happens; if it dies in the block, `process` is killed and `folder` deleted."""
    command = [sys.executable, "-P", __file__, str(process.pid), str(folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True) as guard:
        try:
            yield
        finally:
            guard.kill()


def _wait_and_end(pid: int, folder: str) -> None:
    sys.stdin.read()
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    _wait_and_end(int(sys.argv[1]), sys.argv[2])
