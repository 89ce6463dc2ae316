"""What is forwarded, and to whom: an upstream with its guards, an exchange with its time and its body."""

from dataclasses import dataclass, field

from chassis.breaker import Breaker
from chassis.retries import RetryBudget
from gateway import headers
from gateway.admission import Bulkhead
from gateway.pool import Pool
from gateway.request import Request
from gateway.routes import Retry, Route
from gateway.upstream import UpstreamConnection

_READS = frozenset({b"GET", b"HEAD"})


@dataclass
class Upstream:
    """One upstream with what guards it: reads and writes have a breaker each, for they fail apart."""

    name: str
    pool: Pool
    bulkhead: Bulkhead
    reads: Breaker
    writes: Breaker
    budget: RetryBudget = field(default_factory=RetryBudget)


class Exchange:
    """One request on its way to one upstream. `whole`: its body is all here. Deadlines are times of the loop."""

    __slots__ = (
        "body",
        "body_deadline",
        "connection",
        "deadline",
        "head",
        "repeatable",
        "request",
        "route",
        "upstream",
    )

    def __init__(
        self,
        request: Request,
        route: Route,
        upstream: Upstream,
        head: bytes,
        whole: bool,
        deadline: float,
        body_deadline: float,
    ) -> None:
        self.request = request
        self.route = route
        self.upstream = upstream
        self.body = request.body.take() if whole else None
        self.head = head + headers.framing(request, self.body)
        self.deadline = deadline
        self.body_deadline = body_deadline
        self.repeatable = whole and repeatable(request, route)
        self.connection: UpstreamConnection | None = None

    @property
    def breaker(self) -> Breaker:
        return self.upstream.reads if self.request.method in _READS else self.upstream.writes

    def abandon(self) -> None:
        """Close the connection to the upstream: what it still sends has no reader."""
        if self.connection is not None:
            self.connection.close()


def repeatable(request: Request, route: Route) -> bool:
    """Whether the row lets this request be sent twice."""
    if route.retry is Retry.NEVER:
        return False
    if request.method in _READS:
        return True
    return route.retry is Retry.KEYED and request.header(b"idempotency-key") is not None
