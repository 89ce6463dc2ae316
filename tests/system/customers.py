"""Customers who come while something is done to the shop."""

import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from deploy.local.place import ROOT
from tests.system.target import Target

ORDERS, RATE = 60, 8.0


class Customers:
    """The traffic generator, one run of it after the other for as long as it takes."""

    def __init__(self) -> None:
        self._run: subprocess.Popen[str] | None = None

    def coming(self) -> None:
        """Returns while orders are being placed."""
        if self._run is not None and self._run.poll() is None:
            return
        self.gone()
        command = (sys.executable, "-m", "tests.traffic", "--orders", str(ORDERS), "--rate", str(RATE))
        self._run = _started(command)
        assert self._run.stdout is not None
        for line in self._run.stdout:
            if line.startswith("customers"):
                return
        raise AssertionError("the traffic ended before its first order")

    def gone(self) -> None:
        """Wait for the end of the last run; fails unless each order of it has come to its end."""
        if self._run is not None:
            out, _ = self._run.communicate(timeout=150)
            assert self._run.returncode == 0, out
            self._run = None

    def stop(self) -> None:
        if self._run is not None:
            self._run.kill()
            self._run.communicate()


@contextmanager
def customers() -> Iterator[Customers]:
    """They leave with the block."""
    crowd = Customers()
    try:
        yield crowd
    finally:
        crowd.stop()


def assert_books_balance(target: Target) -> None:
    """No invariant is violated."""
    check = _started(target.verify)
    out, _ = check.communicate(timeout=90)
    assert check.returncode == 0, out


def _started(command: Sequence[str]) -> "subprocess.Popen[str]":
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
