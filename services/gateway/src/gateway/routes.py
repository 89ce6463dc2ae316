"""The routing table: the only place of the gateway that knows business words.

A row says where a prefix leads, how long it may take, who may call it, what may be repeated, and how much is let in.
The longest prefix wins, at the border of a segment. A path that no row covers does not exist outside.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

KIB = 1024


class Access(Enum):
    """Who may call. Services check for themselves too; this keeps the rest from reaching them."""

    PUBLIC = "public"
    AUTHENTICATED = "authenticated"
    OPERATOR = "operator"


class Retry(Enum):
    """Which requests may be sent twice: `SAFE` GET and HEAD; `KEYED` also those with an Idempotency-Key."""

    NEVER = "never"
    SAFE = "safe"
    KEYED = "keyed"


class Rate(Enum):
    """Classes of the rate limit; the figures are settings."""

    __hash__ = object.__hash__  # equal means identical; Enum's own hash is computed in Python, on every request

    READ = "read"
    WRITE = "write"
    CREDENTIALS = "credentials"


@dataclass(frozen=True)
class Route:
    """One row. `read` guards GET and HEAD, `write` all other methods; `seconds` bounds the whole exchange.

    `own_login`: who answers there has a login of its own. `Authorization: Basic` is his to judge, so it goes through
    untouched, and the caller is nobody here.
    """

    prefix: str
    upstream: str
    seconds: float
    read: Access
    write: Access
    retry: Retry
    rate: Rate
    body_limit: int = 64 * KIB
    own_login: bool = False


def _old_shop(prefix: str, rate: Rate) -> Route:
    return Route(prefix, "facade", 15, Access.PUBLIC, Access.PUBLIC, Retry.SAFE, rate, own_login=True)


ROUTES: tuple[Route, ...] = (
    Route("/api/identity", "identity", 5, Access.AUTHENTICATED, Access.AUTHENTICATED, Retry.SAFE, Rate.WRITE),
    Route("/api/identity/customers", "identity", 10, Access.PUBLIC, Access.PUBLIC, Retry.NEVER, Rate.CREDENTIALS),
    Route("/api/identity/tokens", "identity", 10, Access.PUBLIC, Access.PUBLIC, Retry.NEVER, Rate.CREDENTIALS),
    Route("/api/identity/jwks.json", "identity", 5, Access.PUBLIC, Access.OPERATOR, Retry.SAFE, Rate.READ),
    Route("/api/identity/keys", "identity", 10, Access.OPERATOR, Access.OPERATOR, Retry.NEVER, Rate.WRITE),
    Route("/api/catalog", "catalog", 5, Access.PUBLIC, Access.OPERATOR, Retry.SAFE, Rate.READ),
    Route("/api/inventory", "inventory", 5, Access.PUBLIC, Access.OPERATOR, Retry.KEYED, Rate.READ),
    Route("/api/orders", "orders", 10, Access.AUTHENTICATED, Access.AUTHENTICATED, Retry.KEYED, Rate.WRITE),
    Route("/api/payments", "payments", 5, Access.AUTHENTICATED, Access.OPERATOR, Retry.SAFE, Rate.READ),
    # The old shop's address space: pages and its old interface, whoever answers them by now.
    # Its logins are as good for guessing passwords as identity's.
    _old_shop("/legacy", Rate.READ),
    *(_old_shop(f"/legacy/{path}", Rate.CREDENTIALS) for path in ("login", "register", "api/register", "api/me")),
    Route("/api/migration", "facade", 15, Access.OPERATOR, Access.OPERATOR, Retry.SAFE, Rate.WRITE),
)


class Router:
    """Finds the row of a path."""

    def __init__(self, routes: Sequence[Route]) -> None:
        longest_first = sorted(routes, key=lambda route: len(route.prefix), reverse=True)
        self._rows = [(route.prefix.encode(), route) for route in longest_first]
        if len({prefix for prefix, _ in self._rows}) < len(self._rows):
            raise ValueError("two rows have the same prefix")

    def find(self, path: bytes) -> Route | None:
        """The row with the longest prefix that ends where a segment of the path ends."""
        for prefix, route in self._rows:
            if path.startswith(prefix) and path[len(prefix) : len(prefix) + 1] in (b"", b"/"):
                return route
        return None

    def covers(self, path: str) -> bool:
        """Whether a path of a service is public at all."""
        return self.find(path.encode()) is not None
