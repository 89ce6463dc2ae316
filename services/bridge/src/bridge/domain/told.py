"""What the old shop has to tell, row by row, in the new shop's words."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from bridge.domain.values import CANCELLED, CONFIRMED, money, to_utc

Row = Mapping[Any, Any]


@dataclass(frozen=True)
class BookTold:
    """`received` is all that ever came into the shelves, where it is known: from a snapshot, or of a new product."""

    number: int
    isbn: str
    title: str
    author: str
    year: int
    price: Decimal
    received: int | None
    version: int

    @classmethod
    def of(cls, row: Row, received: int | None, version: int) -> "BookTold":
        described = (row["isbn"], row["title"], row["author"], row["year"], row["price"])
        return cls(row["id"], *described, received, version)

    def data(self) -> dict[str, Any]:
        return {
            "number": self.number,
            "isbn": self.isbn,
            "title": self.title,
            "author": self.author,
            "year": self.year,
            "price": money(self.price),
            "received": self.received,
            "version": self.version,
        }


@dataclass(frozen=True)
class StockTold:
    """The shelves were filled, or something was taken from them, and nobody ordered it."""

    isbn: str
    quantity: int
    version: int

    def data(self) -> dict[str, Any]:
        return {"isbn": self.isbn, "quantity": self.quantity, "version": self.version}


@dataclass(frozen=True)
class CustomerTold:
    """`secret` is "<salt>$<sha1 in hex>", and never leaves unsealed."""

    number: int
    email: str
    name: str
    secret: str
    registered_at: datetime
    version: int

    @classmethod
    def of(cls, row: Row, version: int) -> "CustomerTold":
        created = row["created"]
        created = datetime.fromisoformat(created) if isinstance(created, str) else created
        secret = f"{row['salt']}${row['password']}"
        return cls(row["id"], row["email"], row["name"], secret, to_utc(created), version)

    def data(self, customer_id: UUID, sealed: str) -> dict[str, Any]:
        return {
            "customer_id": customer_id,
            "number": self.number,
            "email": self.email,
            "name": self.name,
            "password_sealed": sealed,
            "registered_at": self.registered_at,
            "version": self.version,
        }


@dataclass(frozen=True)
class OrderTold:
    """An order that has changed: it is read as a whole when it is told of."""

    number: int
    version: int


Told = BookTold | StockTold | CustomerTold | OrderTold


@dataclass(frozen=True)
class LegacyLine:
    isbn: str
    title: str
    quantity: int
    price: Decimal


@dataclass(frozen=True)
class LegacyOrder:
    """An order of the old shop with its lines; times in UTC."""

    number: int
    customer: int
    customer_since: datetime
    status: str
    total: Decimal
    placed_at: datetime
    lines: Sequence[LegacyLine]

    @property
    def ended(self) -> bool:
        """Whether its status is one that the new shop has a word for."""
        return self.status in _STATUS

    def data(self, order_id: UUID, customer_id: UUID, version: int) -> dict[str, Any]:
        status, reason = _STATUS[self.status]
        lines = [
            {"isbn": line.isbn, "title": line.title, "quantity": line.quantity, "unit_price": money(line.price)}
            for line in self.lines
        ]
        return {
            "order_id": order_id,
            "number": self.number,
            "customer_id": customer_id,
            "status": status,
            "reason": reason,
            "lines": lines,
            "total": money(self.total),
            "placed_at": self.placed_at,
            "version": version,
        }


_STATUS = {CONFIRMED: ("confirmed", None), CANCELLED: ("cancelled", "card-declined")}
