"""What a replica counts of one capability in one generation, and how figures of all replicas are put together."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

# Steps of a quarter of a doubling, from half a millisecond to half a minute: a quantile is wrong by a tenth at most.
FIRST_MILLISECONDS, A_DOUBLING, BUCKETS = 0.5, 4, 64


def _no_times() -> list[int]:
    return [0] * BUCKETS


@dataclass
class Totals:
    """Counts, and times as numbers by bucket. `longest_hold` is in seconds."""

    matched: int = 0
    mismatched: int = 0
    dropped: int = 0
    answered_legacy: int = 0
    answered_modern: int = 0
    failed_legacy: int = 0
    failed_modern: int = 0
    longest_hold: float = 0.0
    legacy_times: list[int] = field(default_factory=_no_times)
    modern_times: list[int] = field(default_factory=_no_times)
    held_times: list[int] = field(default_factory=_no_times)

    @property
    def compared(self) -> int:
        return self.matched + self.mismatched

    def columns(self) -> dict[str, object]:
        """A copy by name: what is counted on meanwhile does not change it."""
        return {name: list(value) if isinstance(value, list) else value for name, value in vars(self).items()}


def summed(parts: Iterable[Totals]) -> Totals:
    """All of them as one."""
    total = Totals()
    for part in parts:
        for name, value in vars(part).items():
            known = getattr(total, name)
            if name == "longest_hold":
                total.longest_hold = max(known, value)
            elif isinstance(value, list):
                setattr(total, name, [a + b for a, b in zip(known, value, strict=True)])
            else:
                setattr(total, name, known + value)
    return total


def bucket_of(milliseconds: float) -> int:
    """The first bucket whose upper bound is not below this time; the last one takes all that is longer."""
    if milliseconds <= FIRST_MILLISECONDS:
        return 0
    return min(math.ceil(A_DOUBLING * math.log2(milliseconds / FIRST_MILLISECONDS)), BUCKETS - 1)


def quantile(times: Sequence[int], share: float) -> float | None:
    """The time in milliseconds that `share` of them did not exceed; None when there are none."""
    rank = share * sum(times)
    below = 0
    for bucket, count in enumerate(times):
        if count and below + count >= rank:
            lower = _upper(bucket - 1) if bucket else 0.0
            return lower + (_upper(bucket) - lower) * (rank - below) / count
        below += count
    return None


def _upper(bucket: int) -> float:
    return float(FIRST_MILLISECONDS * 2 ** (bucket / A_DOUBLING))
