"""What the operators' interface takes and shows."""

from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from facade.application import Status, Wish
from facade.counting import Totals, quantile
from facade.domain import Capability, Recorded, Stage, Standing

Text = Annotated[str, Field(max_length=500, pattern=r"^[^\x00]*$")]


class MoveTo(BaseModel):
    """`percent` goes with canary, and with nothing else. `force` is against the guard and needs a reason."""

    model_config = ConfigDict(extra="forbid")

    to: Stage
    percent: int | None = Field(default=None, ge=1, le=100, strict=True)
    reason: Text = ""
    force: bool = False

    @model_validator(mode="after")
    def _percent_with_canary(self) -> Self:
        if (self.to is Stage.CANARY) != (self.percent is not None):
            raise ValueError("percent goes with canary, and with nothing else")
        return self

    def wish(self) -> Wish:
        return Wish(self.to, self.percent or 0, self.reason, self.force)


class StandingView(BaseModel):
    """Where a capability stands."""

    name: Capability
    stage: Stage
    percent: int
    parked: bool
    generation: int
    since: datetime

    @classmethod
    def fields_of(cls, standing: Standing) -> dict[str, Any]:
        return {
            "name": standing.capability,
            "stage": standing.stage,
            "percent": standing.percent,
            "parked": standing.parked,
            "generation": standing.generation,
            "since": standing.since,
        }


class Sides(BaseModel):
    """A count for each side."""

    legacy: int
    modern: int


class Times(BaseModel):
    """Milliseconds; null while there is nothing to tell of."""

    p50: float | None
    p99: float | None

    @classmethod
    def of(cls, times: list[int]) -> Self:
        return cls(p50=_rounded(quantile(times, 0.5)), p99=_rounded(quantile(times, 0.99)))


class Latency(BaseModel):
    """Old against new, milliseconds, since the comparison began."""

    legacy: Times
    modern: Times


class Holds(BaseModel):
    """Writes that were held at cut-overs, ever."""

    count: int
    p99_seconds: float | None
    longest_seconds: float


class LagView(BaseModel):
    """Seconds that the bridge is behind."""

    to_shop: float
    to_legacy: float


class CapabilityView(StandingView):
    """`served` and `holds` count since ever; the others since the comparison began anew."""

    served: Sides
    failed: Sides
    compared: int
    matched: int
    match_rate: float | None
    dropped: int
    latency_ms: Latency
    holds: Holds
    lag_seconds: LagView | None

    @classmethod
    def of(cls, status: Status) -> Self:
        ever, recent = status.lifetime, status.recent
        rate = recent.matched / recent.compared if recent.compared else None
        return cls(
            **cls.fields_of(status.standing),
            served=Sides(legacy=ever.answered_legacy, modern=ever.answered_modern),
            failed=Sides(legacy=recent.failed_legacy, modern=recent.failed_modern),
            compared=recent.compared,
            matched=recent.matched,
            match_rate=rate,
            dropped=recent.dropped,
            latency_ms=Latency(legacy=Times.of(recent.legacy_times), modern=Times.of(recent.modern_times)),
            holds=_holds(ever),
            lag_seconds=status.lag and LagView(to_shop=status.lag.to_shop, to_legacy=status.lag.to_legacy),
        )


class CapabilityList(BaseModel):
    items: list[CapabilityView]
    seeded_bug: str | None


class AuditEntry(BaseModel):
    """`who` is an operator's id, or `facade`."""

    at: datetime
    who: str
    capability: Capability
    generation: int
    from_stage: Stage
    to_stage: Stage
    percent: int
    reason: str
    forced: bool
    evidence: dict[str, Any]

    @classmethod
    def of(cls, recorded: Recorded) -> Self:
        entry = recorded.entry
        return cls(
            at=recorded.at,
            who=entry.who,
            capability=recorded.capability,
            generation=recorded.generation,
            from_stage=recorded.before,
            to_stage=recorded.after,
            percent=recorded.percent,
            reason=entry.reason,
            forced=entry.forced,
            evidence=dict(entry.evidence),
        )


class AuditTrail(BaseModel):
    items: list[AuditEntry]


class DifferenceView(BaseModel):
    """One place at which the answers differ, what is wrong with it, and what each side said: null is absent."""

    path: str
    kind: str = Field(serialization_alias="class")
    legacy: str | None
    modern: str | None


class MismatchView(BaseModel):
    """Two answers to one request that did not become alike."""

    at: datetime
    generation: int
    method: str
    path: str
    differences: list[DifferenceView]


class MismatchList(BaseModel):
    items: list[MismatchView]


class SeededBug(BaseModel):
    """A mistake in the catalogue's adapter that exists to be found; null takes it out."""

    model_config = ConfigDict(extra="forbid")

    bug: Literal["price-rounding"] | None


def _holds(totals: Totals) -> Holds:
    p99 = quantile(totals.held_times, 0.99)
    return Holds(
        count=sum(totals.held_times),
        # Of the buckets only the bounds are known: above the longest there is none.
        p99_seconds=None if p99 is None else round(min(p99 / 1000, totals.longest_hold), 3),
        longest_seconds=round(totals.longest_hold, 3),
    )


def _rounded(milliseconds: float | None) -> float | None:
    return None if milliseconds is None else round(milliseconds, 1)
