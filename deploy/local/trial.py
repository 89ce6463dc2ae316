"""The tests of the running stack: a second run on ports of its own, so that yours goes on beside it."""

import os

from deploy.local import checks, commands, ports_check
from deploy.local.place import Place
from deploy.local.screen import Screen
from deploy.local.up import up

HOME = ".banyan/test"


def trial(orders: int, screen: Screen) -> int:
    """Bring a stack up from nothing, run system tests, traffic and invariants, take it down; 0 if all held.

    After a failure its folder stays, for the logs in it.
    """
    os.environ["BANYAN_HOME"] = HOME
    checks.end_at_sigterm()
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
    """Names of the checks that failed."""
    ports = ports_check.free_ports()
    up(Place.current(), ports, screen)
    planned = {
        "snapshot": checks.python("deploy.local", "run", "bridge", "-m", "bridge.snapshot"),
        "system tests": checks.python("pytest", "-m", "system", "tests/system", "-q"),
        "traffic": checks.python("tests.traffic", "--client", "both", "--orders", str(orders)),
        "invariants": checks.python("tests.invariants"),
        # The last: at its end the old shop is stopped.
        "migration": checks.python("tests.strangle", "--rate", "30", "--seconds", "3"),
    }
    return checks.run_all(planned, {"BANYAN_TARGET": "local", "BANYAN_URL": ports.url("gateway")}, screen)
