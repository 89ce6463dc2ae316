"""What has become of requests that are sent once, second by second."""

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import Any

KEPT = 200


@dataclass
class Record:
    """What has happened: `timeline` counts requests and failures by the second that they were begun in."""

    latencies: defaultdict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    timeline: defaultdict[int, list[int]] = field(default_factory=lambda: defaultdict(lambda: [0, 0]))
    failures: list[dict[str, Any]] = field(default_factory=list)
    why: Counter[str] = field(default_factory=Counter)

    def good(self, operation: str, seconds: float) -> None:
        self.latencies[operation].append(seconds)

    def begin(self) -> None:
        """Forget what was needed to prepare: measuring begins."""
        for kept in (self.latencies, self.timeline, self.failures, self.why):
            kept.clear()

    def observe(self, operation: str, at: float, seconds: float, wrong: str | None) -> None:
        """One request that has come to its end."""
        self.timeline[int(at)][0] += 1
        if wrong is None:
            self.good(operation, seconds)
        else:
            self.failed(operation, at, wrong[:60], wrong)

    def failed(self, operation: str, at: float, why: str, detail: str) -> None:
        self.timeline[int(at)][1] += 1
        self.why[f"{operation}: {why}"] += 1
        if len(self.failures) < KEPT:
            self.failures.append({"at": at, "operation": operation, "why": why, "detail": detail[:400]})
