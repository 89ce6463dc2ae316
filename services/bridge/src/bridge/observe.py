"""What bridge tells of itself."""

import math
from collections.abc import Awaitable, Callable
from typing import Protocol

from prometheus_client import Counter, Gauge, Histogram

from bridge.storage.feed import FeedState
from bridge.stream import Waiting
from chassis.periodic import Periodic

TO_SHOP, TO_LEGACY = "to-shop", "to-legacy"
_BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0)

LEADER = Gauge("bridge_leader", "1 where this process publishes")
LAG = Gauge("bridge_lag_seconds", "Age of the oldest change that has not reached the other side", ["direction"])
DELAY = Histogram(
    "bridge_delay_seconds",
    "To the shop: from commit to acknowledged by the bus; to legacy: from event to committed",
    ["direction"],
    buckets=_BUCKETS,
)
PUBLISHED = Counter("bridge_published_total", "Messages published", ["type"])
ECHOES = Counter("bridge_echoes_suppressed_total", "Changes written back by bridge, and so not published")
UNTOLD = Counter("bridge_untold_orders_total", "Orders of the old shop in a status that has no word")
APPLIED = Counter("bridge_applied_total", "Messages of the shop by what they did to the old one", ["outcome"])
OVERSOLD = Counter("bridge_oversold_total", "Books sold by the shop that the old shelves did not hold")
# Made at once: a rate needs the zero before the first.
_DELAYS = {direction: DELAY.labels(direction) for direction in (TO_SHOP, TO_LEGACY)}

SECONDS = 2.0


class Operations(Protocol):
    """Knows the lag of both ways."""

    async def feed(self) -> FeedState: ...
    async def waiting(self) -> Waiting: ...


def measurements(operations: Operations) -> list[Periodic]:
    """Parts of the process that keep the lag's gauges; all replicas tell the same."""

    async def to_shop() -> float:
        return (await operations.feed()).lag

    async def to_legacy() -> float:
        return (await operations.waiting()).lag

    return [
        Periodic(f"lag-{direction}", SECONDS, _measuring(direction, lag), finish=False)
        for direction, lag in ((TO_SHOP, to_shop), (TO_LEGACY, to_legacy))
    ]


def _measuring(direction: str, lag: Callable[[], Awaitable[float]]) -> Callable[[], Awaitable[None]]:
    async def measure() -> None:
        try:
            LAG.labels(direction).set(await lag())
        except BaseException:
            LAG.labels(direction).set(math.nan)  # no number rather than an old one
            raise

    return measure
