"""What an image weighs, how fast it is ready, how much memory it takes, and how fast it is built again."""

import json
import re
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.images.building import Build, Commit, built, change_a_line, copy_context
from tests.images.docker import docker, entries, layers, size
from tests.images.stage import PYTHON, Container, Stage

MEMORY = re.compile(r"([\d.]+)([KMG]i)?B")
MIB = {"": 1 / 1024**2, "Ki": 1 / 1024, "Mi": 1.0, "Gi": 1024.0}
COUNT = "import importlib.metadata as m; print(len({d.metadata['Name'] for d in m.distributions()}))"
SETTLE_SECONDS = 5.0


@dataclass(frozen=True)
class Weight:
    """What can be seen without starting anything."""

    image: str
    size: int
    layers: int
    packages: int


@dataclass(frozen=True)
class Run:
    """Of a container with a database and NATS beside it: from its start to its first good probe, and at rest."""

    ready_seconds: float
    memory_mib: float


def weigh(name: str, commit: Commit) -> Weight:
    tag = commit.tag(name)
    packages = int(docker("run", "--rm", "--network", "none", "--entrypoint", PYTHON, tag, "-c", COUNT))
    return Weight(name, size(entries(tag)), len(layers(tag)), packages)


def start(name: str, stage: Stage, rounds: int) -> Run:
    """Start a service alone with its servers: the median of `rounds` starts, the memory of the last."""
    seconds: list[float] = []
    for _ in range(rounds - 1):
        with _started(name, stage) as (_, taken):
            seconds.append(taken)
    with _started(name, stage) as (container, taken):
        return Run(statistics.median([*seconds, taken]), _at_rest(container))


@contextmanager
def _started(name: str, stage: Stage) -> Iterator[tuple[Container, float]]:
    """A ready service, and the seconds until it was that."""
    begun = time.monotonic()
    container = stage.service(name)
    try:
        container.wait_until_ready()
        yield container, time.monotonic() - begun
    finally:
        container.remove()


def _at_rest(container: Container) -> float:
    """MiB that the engine counts, page cache that can be had back excepted: the least of what was seen."""
    limit = time.monotonic() + SETTLE_SECONDS
    seen: list[float] = []
    while time.monotonic() < limit or not seen:
        usage = json.loads(docker("stats", "--no-stream", "--format", "{{json .}}", container.id))["MemUsage"]
        number, unit = MEMORY.findall(usage)[0]
        seen.append(float(number) * MIB[unit])
    return min(seen)


def rebuild(names: list[str], commit: Commit, rounds: int, say: Callable[[str], None]) -> dict[str, float]:
    """Seconds that each service takes to be built again after one line of it has changed; the median of `rounds`."""
    with tempfile.TemporaryDirectory(prefix="banyan-") as folder:
        context = copy_context(Path(folder))
        found: dict[str, float] = {}
        for name in names:
            say(name)
            found[name] = statistics.median(_once(name, commit, context) for _ in range(rounds))
        return found


def _once(name: str, commit: Commit, context: Path) -> float:
    change_a_line(context, name, f"# {time.time_ns()}")
    begun = time.monotonic()
    with built(Build(commit, context), name):
        return time.monotonic() - begun
