"""The shop in containers, tested as such: `python -m deploy.compose.trial`, or `make system TARGET=compose`.

A project of its own on a port of its own, so that yours goes on beside it. COMPOSE_FILE counts, if it is set.
"""

import argparse
import contextlib
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from deploy.compose import project
from deploy.compose.project import compose, docker
from deploy.local import checks, ports_check
from deploy.local.place import ROOT, Place
from deploy.local.programs import commit
from deploy.local.screen import RunError, Screen

NAME = "banyan-test"
HOME = ".banyan/compose-test"
FIGURES = "figures.json"
SECONDS_BAR, MEMORY_BAR = 60, 2048
TRAFFIC = ("tests.traffic", "--client", "both")


def main() -> int:
    """0 if all held, 1 if not, 130 when interrupted."""
    parser = argparse.ArgumentParser(prog="python -m deploy.compose.trial", description=__doc__)
    parser.add_argument("--orders", type=int, default=200, help="of the traffic")
    parser.add_argument("--keep", action="store_true", help="leave the containers running")
    options = parser.parse_args()
    screen = Screen()
    os.environ |= {"BANYAN_HOME": HOME, "BANYAN_TARGET": "compose", "COMPOSE_PROJECT_NAME": NAME}
    # These tests bring no servers of their own.
    os.environ["TEST_SERVERS"] = "embedded"
    os.environ.setdefault("COMMIT", commit())
    checks.end_at_sigterm()
    try:
        with Place.current().alone(), _taken_down(Place.current().logs, screen, keep=options.keep):
            return _trial(options.orders, screen)
    except RunError as error:
        screen.say(f"✗ {error}", style="bold red")
        return 1
    except KeyboardInterrupt:
        return 130


def _trial(orders: int, screen: Screen) -> int:
    os.environ |= {"PORT": str(ports_check.free_ports().gateway), "PROMETHEUS_PORT": "0"}
    figures: dict[str, float] = {}
    failed = _bring_up(screen, figures)
    with screen.step("Prometheus"):
        # Of the profile observability alone: it needs no collector to read the services' own metrics.
        compose("up", "--detach", "--wait", "--no-build", "prometheus")
    planned = {
        "system tests": checks.python("pytest", "-m", "system", "tests/system", "-q", "--durations=5"),
        "snapshot": ("docker", *project.one_off_command("snapshot")),
        "traffic": ("docker", *project.one_off_command("traffic", *TRAFFIC, "--orders", str(orders))),
        "dashboards": checks.python("pytest", "-m", "system", "tests/observability", "-q"),
        "resilience": checks.python("pytest", "-m", "system", "tests/resilience", "-q", "--durations=0"),
        "invariants": ("docker", *project.one_off_command("verify")),
    }
    urls = {"BANYAN_URL": project.url(), "PROMETHEUS_URL": project.url("prometheus", 9090)}
    failed += checks.run_all(planned, urls, screen)
    (Place.current().home / FIGURES).write_text(json.dumps(figures))
    if failed:
        raise RunError(f"failed: {', '.join(failed)}")
    return 0


def _bring_up(screen: Screen, figures: dict[str, float]) -> list[str]:
    """From nothing to a seeded shop at rest, measured; the names of the bars that it missed."""
    with screen.step("build the images"):
        # One command a moment for all: what a build says of itself is only of interest when it fails.
        compose("build", "--quiet", seconds=1800)
    with screen.step("all healthy") as step:
        begun = time.monotonic()
        compose("up", "--detach", "--wait", "--no-build")
        healthy = time.monotonic() - begun
        step.detail = f"after {healthy:.1f} s (bar: {SECONDS_BAR} s)"
    with screen.step("books and a customer") as step:
        _wait_for_seed()
    with screen.step("memory at rest") as step:
        memory, count = memory_at_rest()
        step.detail = f"{memory:.0f} MiB of {count} containers (bar: {MEMORY_BAR} MiB)"
    figures |= {"seconds to healthy": healthy, "memory at rest": memory, "containers": count}
    bars = {"seconds to healthy": healthy <= SECONDS_BAR, "memory at rest": memory <= MEMORY_BAR}
    return [name for name, held in bars.items() if not held]


def _wait_for_seed() -> None:
    seed = project.container("seed")
    project.wait_until(lambda: seed.pid == 0, 120, lambda: f"seed is not done: {seed.log()}")
    if seed.inspect()["State"]["ExitCode"] != 0:
        raise RunError(f"seed: {seed.log()}")


def memory_at_rest() -> tuple[float, int]:
    """MiB that all running containers of the project hold without what the kernel could drop, and how many they are."""
    running = compose("ps", "--quiet").split()
    stats = docker("stats", "--no-stream", "--format", "json", *running).splitlines()
    return sum(_mebibytes(json.loads(line)["MemUsage"]) for line in stats), len(stats)


def _mebibytes(usage: str) -> float:
    found = re.match(r"([\d.]+)([KMG]?)i?B", usage)
    if found is None:
        raise RunError(f"docker stats says {usage!r}")
    return float(found[1]) * {"": 1 / 1024**2, "K": 1 / 1024, "M": 1, "G": 1024}[found[2]]


@contextlib.contextmanager
def _taken_down(logs: Path, screen: Screen, *, keep: bool) -> Iterator[None]:
    """Nothing of an earlier trial before, nothing of this one afterwards, however it ended; its logs stay."""
    _remove()
    try:
        yield
    except BaseException:
        with contextlib.suppress(RunError):  # the first failure is the one to tell
            _keep_logs(logs)
        screen.say(f"the containers' logs are in {logs}", style="bold red")
        raise
    finally:
        if keep:
            screen.say(f"left running: COMPOSE_PROJECT_NAME={NAME} docker compose ps")
        else:
            with screen.step("take it down"):
                _remove()


def _remove() -> None:
    # All at once, for its data go too. `down` alone would leave what `run` had started.
    left = docker("ps", "--all", "--quiet", "--filter", f"label={project.LABEL}.project={NAME}").split()
    if left:
        docker("rm", "--force", "--volumes", *left)
    compose("--profile", "*", "down", "--volumes", "--remove-orphans")


def _keep_logs(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for service in compose("ps", "--all", "--services").split():
        with (folder / f"{service}.log").open("w") as file:
            command = ("docker", "compose", "logs", "--no-color", "--timestamps", service)
            subprocess.run(command, cwd=ROOT, stdout=file, stderr=subprocess.STDOUT, check=False)


if __name__ == "__main__":
    sys.exit(main())
