"""The tests of the running stack: a second run on ports of its own, so that yours goes on beside it."""

import os
import signal
import subprocess
import sys
from collections.abc import Sequence

from deploy.local import commands, ports_check
from deploy.local.place import ROOT, Place
from deploy.local.screen import Screen
from deploy.local.up import up

HOME = ".banyan/test"


def trial(orders: int, screen: Screen) -> int:
    """Bring a stack up from nothing, run system tests, traffic and invariants, take it down; 0 if all held.

    After a failure its folder stays, for the logs in it.
    """
    os.environ["BANYAN_HOME"] = HOME
    # Whoever cancels a build sends SIGTERM; as an exception it goes through the blocks that take the stack down.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with Place.current().alone():
        return _trial(orders, screen)


def _trial(orders: int, screen: Screen) -> int:
    commands.clean(Place.current(), screen)
    try:
        failed = _tested(orders, screen)
    finally:
        commands.down(Place.current(), screen)
    if failed:
        screen.say(f"✗ failed: {', '.join(failed)}; the logs are in {Place.current().logs}", style="bold red")
        return 1
    commands.clean(Place.current(), screen)
    return 0


def _tested(orders: int, screen: Screen) -> list[str]:
    """Run everything even when something has failed: one run tells all. Returns what failed."""
    ports = ports_check.free_ports()
    up(Place.current(), ports, screen)
    environment = {**os.environ, "BANYAN_URL": ports.url("gateway")}
    checks: dict[str, Sequence[str]] = {
        "system tests": ("pytest", "-m", "system", "tests", "-q"),
        "traffic": ("tests.traffic", "--orders", str(orders)),
        "invariants": ("tests.invariants",),
    }
    failed = []
    for name, arguments in checks.items():
        screen.say(f"\n{name}", style="bold")
        command = [sys.executable, "-m", *arguments]
        if subprocess.run(command, env=environment, cwd=ROOT, check=False).returncode != 0:
            failed.append(name)
    return failed
