"""Capabilities, their stages, and which moves between them there are. Knows neither HTTP nor tables."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any


class NoSuchMove(Exception):
    """A capability cannot go there from where it stands."""


class ReasonMissing(Exception):
    """Who goes against the guard must say why."""


class Overtaken(Exception):
    """Somebody else has moved the capability in this very moment."""


class Capability(StrEnum):
    """What is migrated as one."""

    CATALOG = "catalog"
    ORDERS = "orders"


class Stage(StrEnum):
    """How far a capability has come; what each means is in docs/strangler.md."""

    LEGACY = "legacy"
    SHADOW = "shadow"
    CANARY = "canary"
    CUTOVER = "cutover"
    MODERN = "modern"
    RETIRED = "retired"


PATHS: dict[Capability, tuple[Stage, ...]] = {
    Capability.CATALOG: (Stage.LEGACY, Stage.SHADOW, Stage.CANARY, Stage.MODERN, Stage.RETIRED),
    Capability.ORDERS: (Stage.LEGACY, Stage.SHADOW, Stage.CUTOVER, Stage.MODERN, Stage.RETIRED),
}

# Whose requests change something: these change sides only while writes are held.
WRITING = frozenset({Capability.ORDERS})


class Side(StrEnum):
    """Who answers: the old shop, or the new services through the adapters."""

    LEGACY = "legacy"
    MODERN = "modern"


@dataclass(frozen=True)
class Standing:
    """Where a capability stands. `generation` counts every change of it; `percent` matters in canary only.

    `parked`: writes are held, until the one side is drained and the other takes over.
    """

    capability: Capability
    stage: Stage
    percent: int
    parked: bool
    generation: int
    since: datetime


@dataclass(frozen=True)
class Abandoned:
    """A standing that is parked although nobody leads its cut-over any more, and the stage that it came from."""

    standing: Standing
    returns_to: Stage


@dataclass(frozen=True)
class Entry:
    """A line of the audit trail, as it is written. `who` is an operator's id, or `facade`."""

    who: str
    reason: str
    forced: bool = False
    evidence: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Recorded:
    """The same, as it is read: with what happened, and when. `generation` is what the capability had after it."""

    at: datetime
    capability: Capability
    generation: int
    before: Stage
    after: Stage
    percent: int
    entry: Entry


BUCKETS = 10_000


def bucket(capability: Capability, customer: str) -> int:
    """A number below `BUCKETS` that is the customer's own and never changes: who was in at 5 % is in at 25 %."""
    digest = hashlib.sha256(f"{capability}:{customer}".encode()).digest()
    return int.from_bytes(digest[:8]) % BUCKETS


def side(standing: Standing, customer: str) -> Side:
    """Who answers this customer."""
    if standing.stage in (Stage.MODERN, Stage.RETIRED):
        return Side.MODERN
    if standing.stage is Stage.CANARY and bucket(standing.capability, customer) < standing.percent * BUCKETS // 100:
        return Side.MODERN
    return Side.LEGACY


class Way(StrEnum):
    """Whether a move leads away from the old shop, or back towards it."""

    FORWARD = "forward"
    BACK = "back"


@dataclass(frozen=True)
class Move:
    """A move that the rules allow. `parks`: another side writes afterwards, so writes are held meanwhile.

    `guarded`: it needs evidence that both sides agree, unless it is forced.
    """

    before: Standing
    stage: Stage
    percent: int
    way: Way

    @property
    def guarded(self) -> bool:
        return self.way is Way.FORWARD and self.before.stage is not Stage.LEGACY

    @property
    def parks(self) -> bool:
        modern = (Stage.MODERN, Stage.RETIRED)
        return self.before.capability in WRITING and (self.stage in modern) != (self.before.stage in modern)

    @property
    def begins_comparison(self) -> bool:
        """Evidence counts from the latest entry into shadow: what was compared before was another adapter."""
        return self.stage in (Stage.LEGACY, Stage.SHADOW)


def plan(standing: Standing, to: Stage, percent: int = 0, *, force: bool = False) -> Move | None:
    """The move that leads there; None when the capability is there already, so that a repetition does no harm.

    Forward goes one step at a time, back goes any number, but out of `retired` only by force: nothing has kept the old
    shop up since. `cutover` is no place to be, it is how orders come to `modern`; both names ask for that.
    """
    steps: list[Stage] = [stage for stage in PATHS[standing.capability] if stage is not Stage.CUTOVER]
    if to not in PATHS[standing.capability]:
        raise NoSuchMove(f"{standing.capability} has no stage {to}")
    if standing.parked:
        raise Overtaken(f"{standing.capability} is changing sides at this moment")
    goal = Stage.MODERN if to is Stage.CUTOVER else to
    share = percent if goal is Stage.CANARY else 0
    if (goal, share) == (standing.stage, standing.percent):
        return None
    ahead = steps.index(goal) - steps.index(standing.stage)
    if ahead > 1:
        step = steps[steps.index(standing.stage) + 1]
        raise NoSuchMove(f"{standing.capability} goes one step at a time: from {standing.stage} to {step}")
    if standing.stage is Stage.RETIRED and not force:
        raise NoSuchMove(f"{standing.capability} is retired: the old shop may be gone, going back has to be forced")
    forward = ahead > 0 or (ahead == 0 and share > standing.percent)
    return Move(standing, goal, share, Way.FORWARD if forward else Way.BACK)
