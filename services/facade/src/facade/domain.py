"""Capabilities, their stages, and which moves between them there are. Knows neither HTTP nor tables."""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


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
