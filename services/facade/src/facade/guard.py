"""The promotion guard: what must have been seen before the new side gets more to answer."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

COMPARISONS = 200
MATCH_RATE = 0.995
LAG_SECONDS = 2.0


@dataclass(frozen=True)
class Lag:
    """How many seconds the bridge is behind, in each direction."""

    to_shop: float
    to_legacy: float


@dataclass(frozen=True)
class Evidence:
    """What speaks for a promotion. No `lag`: the bridge did not say."""

    compared: int
    matched: int
    lag: Lag | None

    @property
    def match_rate(self) -> float | None:
        """Of the comparisons since the capability came into shadow; None before the first."""
        return self.matched / self.compared if self.compared else None

    def document(self) -> Mapping[str, Any]:
        """For the audit trail and for who was refused."""
        lag = None if self.lag is None else {"to_shop": self.lag.to_shop, "to_legacy": self.lag.to_legacy}
        return {"compared": self.compared, "matched": self.matched, "match_rate": self.match_rate, "lag_seconds": lag}


class PromotionRefused(Exception):
    """The evidence does not do."""

    def __init__(self, missing: list[str], evidence: Evidence) -> None:
        super().__init__("; ".join(missing))
        self.evidence = evidence


def require(evidence: Evidence) -> None:
    """Raises `PromotionRefused` with everything that is wrong, not only the first."""
    missing = [*_of_comparison(evidence), *_of_bridge(evidence.lag)]
    if missing:
        raise PromotionRefused(missing, evidence)


def _of_comparison(evidence: Evidence) -> list[str]:
    rate = evidence.match_rate
    found = []
    if evidence.compared < COMPARISONS:
        found.append(f"{evidence.compared} answers compared, {COMPARISONS} are needed")
    if rate is not None and rate < MATCH_RATE:
        found.append(f"{rate:.2%} of them equal, {MATCH_RATE:.1%} are needed")
    return found


def _of_bridge(lag: Lag | None) -> list[str]:
    if lag is None:
        return ["the bridge does not say how far behind it is"]
    late = {"to the new side": lag.to_shop, "to the old one": lag.to_legacy}
    return [
        f"the bridge is {seconds:.1f} s behind on the way {way}, {LAG_SECONDS:.0f} s are allowed"
        for way, seconds in late.items()
        if seconds > LAG_SECONDS
    ]
