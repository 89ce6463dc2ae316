"""What a run saw: latencies by operation, retries, problems, and everything that was not expected."""

import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

EXAMPLES = 5


@dataclass
class Tally:
    """Counts of one run. Latencies are in seconds and include the retries, as a customer feels them."""

    latencies: defaultdict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    retries: Counter[str] = field(default_factory=Counter)
    problems: Counter[str] = field(default_factory=Counter)
    notes: Counter[str] = field(default_factory=Counter)
    wrong: defaultdict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    wrong_counts: Counter[str] = field(default_factory=Counter)

    def unexpected(self, kind: str, example: str) -> None:
        """Something that must not happen; a run that saw any has failed."""
        self.wrong_counts[kind] += 1
        if len(self.wrong[kind]) < EXAMPLES:
            self.wrong[kind].append(example)

    @contextmanager
    def timing(self, operation: str) -> Iterator[None]:
        """Measure a block; one that raises is not measured."""
        started = time.perf_counter()
        yield
        self.latencies[operation].append(time.perf_counter() - started)


def percentile(values: Sequence[float], share: float) -> float:
    """Nearest rank: the smallest value that at least `share` of all values do not exceed."""
    ordered = sorted(values)
    rank = max(1, -(-len(ordered) * round(share * 1000) // 1000))
    return ordered[rank - 1]


def distribution(values: Sequence[float]) -> dict[str, float]:
    """Count, p50, p90, p99 and the largest, in seconds."""
    if not values:
        return {"count": 0}
    found = {f"p{round(share * 100)}": percentile(values, share) for share in (0.5, 0.9, 0.99)}
    return {"count": len(values), **found, "max": max(values)}
