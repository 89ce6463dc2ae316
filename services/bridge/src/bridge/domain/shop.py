"""What the new shop has done, as far as the old one is to know it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID


@dataclass(frozen=True)
class ShopLine:
    """Of an order of the new shop; amounts of the new shop's in minor units."""

    isbn: str
    quantity: int
    unit_price: int


@dataclass(frozen=True)
class ShopOrder:
    """An order of the new shop that has ended; `status` is the old shop's letter for how."""

    order_id: UUID
    number: int
    customer_id: UUID
    status: str
    total: int
    placed_at: datetime
    lines: Sequence[ShopLine]


@dataclass(frozen=True)
class ShopBook:
    """A book of the catalogue's; `legacy_version`: the newest word of the old shop that the catalogue had heard."""

    number: int
    isbn: str
    title: str
    author: str
    year: int
    price: int
    version: int
    legacy_version: int


class ProductUnknown(Exception):
    """The old shop has no product with this ISBN yet."""
