"""The steady load beside a test, from inside the shop's own network."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from deploy.compose import project

RATE, LONGEST = 50, 600


@dataclass
class SteadyLoad:
    """While it runs; `found` is there when it has ended."""

    container: project.Container
    found: Mapping[str, Any] = field(default_factory=dict)

    def end(self) -> None:
        """Ask it to stop, and take its figures."""
        project.docker("stop", "--time", "40", self.container.id)
        told = project.docker("logs", self.container.id).splitlines()
        assert told, self.container.log()
        self.found = json.loads(told[-1])

    def between(self, begin: float, end: float) -> tuple[int, int]:
        """Requests that were begun in that time, and how many of them failed."""
        counts = [counts for second, counts in self.found["timeline"].items() if int(begin) <= int(second) < int(end)]
        return sum(sent for sent, _ in counts), sum(failed for _, failed in counts)


@contextmanager
def steady_load() -> Iterator[SteadyLoad]:
    """Begins with the first request, ends with the block."""
    arguments = ("tests.traffic.steady", f"--rate={RATE}", f"--seconds={LONGEST}", "--json")
    started = project.compose("run", "--detach", "--no-deps", "--no-TTY", "traffic", *arguments)
    load = SteadyLoad(project.Container(started.split()[-1]))
    try:
        project.wait_until(
            lambda: "steady: begun" in load.container.log(), 60, lambda: f"no load began: {load.container.log()}"
        )
        yield load
    finally:
        project.docker("rm", "--force", load.container.id)
