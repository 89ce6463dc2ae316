"""Which part of the old shop an address belongs to, and whether a request there changes anything but a cookie.

A write that this table does not know as one could slip past the parking. So it decodes as the old shop's own
framework does, once, and what is not in the table is an address that the old shop does not know either.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import unquote

from facade.domain import Capability

READS = frozenset({"GET", "HEAD", "OPTIONS"})


class Area(StrEnum):
    """What moves together. `accounts` and `other` move when both capabilities are retired."""

    CATALOG = "catalog"
    ORDERS = "orders"
    ACCOUNTS = "accounts"
    OTHER = "other"

    @property
    def capability(self) -> Capability | None:
        """The capability whose stage decides; none for those that follow both."""
        return _CAPABILITIES.get(self)


_CAPABILITIES = {Area.CATALOG: Capability.CATALOG, Area.ORDERS: Capability.ORDERS}


@dataclass(frozen=True)
class Place:
    """Where a request goes. `path` is the pattern, for metrics: its values are few.

    `write`: it makes an order. The basket is none: it lives in the customer's cookie.
    """

    path: str
    area: Area
    write: bool = False


# Pattern, area, whether a POST there makes an order.
_TABLE: tuple[tuple[str, Area, bool], ...] = (
    ("/legacy/", Area.CATALOG, False),
    ("/legacy/search", Area.CATALOG, False),
    ("/legacy/book/{id}", Area.CATALOG, False),
    ("/legacy/api/products", Area.CATALOG, False),
    ("/legacy/api/products/{id}", Area.CATALOG, False),
    ("/legacy/basket", Area.ORDERS, False),
    ("/legacy/checkout", Area.ORDERS, True),
    ("/legacy/orders", Area.ORDERS, False),
    ("/legacy/orders/{id}", Area.ORDERS, False),
    ("/legacy/api/orders", Area.ORDERS, True),
    ("/legacy/api/orders/{id}", Area.ORDERS, False),
    ("/legacy/login", Area.ACCOUNTS, False),
    ("/legacy/logout", Area.ACCOUNTS, False),
    ("/legacy/register", Area.ACCOUNTS, False),
    ("/legacy/api/me", Area.ACCOUNTS, False),
    ("/legacy/api/register", Area.ACCOUNTS, False),
)
ELSEWHERE = Place("/legacy/{elsewhere}", Area.OTHER)
_EXACT = {path: (Place(path, area), Place(path, area, write)) for path, area, write in _TABLE if "{" not in path}
_WITH_ID = {
    path.removesuffix("{id}"): (Place(path, area), Place(path, area, write))
    for path, area, write in _TABLE
    if path.endswith("{id}")
}
_ID = re.compile(r"(.*/)\d+", re.DOTALL)


def find(method: str, path: str) -> Place:
    """`path` as it was sent."""
    decoded = unquote(path, errors="replace")
    found = _EXACT.get(decoded)
    if found is None and (match := _ID.fullmatch(decoded)) is not None:
        found = _WITH_ID.get(match[1])
    if found is None:
        return ELSEWHERE
    return found[method not in READS]
