"""What orders tells of its checkouts: each end as a log line and a count, and how old those are that have not ended."""

import math
from typing import Protocol

import structlog
from prometheus_client import Counter, Gauge

from chassis.periodic import Periodic
from orders.domain import Order, OrderState
from orders.saga import Direction, OpenSagas

log = structlog.get_logger(__name__)
OLDEST = Gauge("saga_oldest_age_seconds", "Age of the oldest checkout that has not ended")
OPEN = Gauge("saga_open", "Checkouts that have not ended", ["direction"])
ENDED = Counter("saga_ended_total", "Checkouts that came to an end", ["outcome"])
# Made at once: a rate needs the zero before the first.
_ENDS = {state: ENDED.labels(state.value) for state in (OrderState.CONFIRMED, OrderState.CANCELLED)}

SECONDS = 5.0


class Storage(Protocol):
    """Counts the open sagas, by direction."""

    async def open_sagas(self) -> list[OpenSagas]: ...


def moved(order: Order) -> None:
    """A reply has moved the order's saga, perhaps to its end."""
    if order.state in _ENDS:
        _ENDS[order.state].inc()
        log.info(f"order.{order.state}", order_id=str(order.id), reason=order.reason)


async def measure(storage: Storage) -> None:
    """Set the gauges: while nobody answers, to no number rather than an old one. All replicas see the same."""
    try:
        found = {sagas.direction: sagas for sagas in await storage.open_sagas()}
    except Exception:
        OLDEST.set(math.nan)
        OPEN.clear()
        raise
    for direction in (Direction.FORWARD, Direction.BACKWARD):
        OPEN.labels(direction.value).set(found[direction].count if direction in found else 0)
    OLDEST.set(max((sagas.oldest_age for sagas in found.values()), default=0))


def observation(storage: Storage) -> Periodic:
    """Measures every five seconds."""
    return Periodic("observation", SECONDS, lambda: measure(storage), finish=False)
