"""The two languages: what a row of the old shop means in the new shop's words. No SQL and no network here.

The old shop counts (integer ids), writes amounts as decimals of an euro and times as they stand on the wall in Berlin;
the new one has UUIDs, minor units and UTC.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

SHOP = "shop"
LEGACY = "legacy"
CURRENCY = "EUR"
CONFIRMED, CANCELLED = "P", "X"  # the letters of the old shop: paid, and refused by the card
FIRST_OF_SHOP = 1_000_001  # numbers from here on are given by the new shop; the old one's counters stay below
_BERLIN = ZoneInfo("Europe/Berlin")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DESCRIBED = ("isbn", "title", "author", "year", "price")
_OF_ORDER = {"order_items": "orders"}

Row = Mapping[Any, Any]


def to_utc(local: datetime) -> datetime:
    """Of the hour that autumn repeats, the first one is meant: the old shop does not tell which it was."""
    return local.replace(tzinfo=_BERLIN).astimezone(UTC)


def to_local(moment: datetime) -> datetime:
    """As the old shop writes it: Berlin's time, without saying so."""
    return moment.astimezone(_BERLIN).replace(tzinfo=None)


def to_minor(amount: Decimal) -> int:
    """Cents."""
    return int(amount * 100)


def to_decimal(minor: int) -> Decimal:
    """Euros, with two places."""
    return Decimal(minor).scaleb(-2)


def money(amount: Decimal) -> dict[str, Any]:
    """As it stands in a message."""
    return {"amount": to_minor(amount), "currency": CURRENCY}


def legacy_id(kind: str, number: int, created: datetime) -> UUID:
    """The UUID of a row of the old shop: always the same, and sorting by its time as those of the new shop do."""
    return _uuid7(created, f"legacy:{kind}:{number}")


def message_id(at: datetime, *what: object) -> UUID:
    """The id of the message that tells `what`: a publisher that does not know whether it was stored sends it again."""
    return _uuid7(at, ":".join(("bridge", *map(str, what))))


def _uuid7(moment: datetime, name: str) -> UUID:
    milliseconds = (moment - _EPOCH) // timedelta(milliseconds=1)
    digest = int.from_bytes(hashlib.sha256(name.encode()).digest())
    random_a, random_b = digest & 0xFFF, digest >> 12 & (1 << 62) - 1
    return UUID(int=milliseconds << 80 | 0x7 << 76 | random_a << 64 | 0b10 << 62 | random_b)


@dataclass(frozen=True)
class Change:
    """A recorded change of one row; `origin` is SHOP where bridge itself wrote it back."""

    id: int
    tx: str
    at: datetime
    table: str
    op: str
    old: Row | None
    new: Row | None
    origin: str | None


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


def tell(changes: Sequence[Change]) -> list[Told]:
    """What one transaction of the old shop means to the new one. What bridge wrote back is not told: it would echo.

    Several changes of a row are told of once, by the id of the last. Stock that moved together with an order is the
    order's own matter. Nothing is told of a deleted row: the old shop deletes none.
    """
    rows: dict[tuple[str, int], tuple[Change, Change]] = {}
    for change in changes:
        if change.origin is None:
            key = (_OF_ORDER.get(change.table, change.table), _key(change))
            rows[key] = (rows[key][0] if key in rows else change, change)
    with_order = any(table == "orders" for table, _ in rows)
    return [told for (table, key), span in rows.items() for told in _tell(table, key, *span, with_order=with_order)]


def _tell(table: str, key: int, first: Change, last: Change, *, with_order: bool) -> list[Told]:
    if table == "orders":
        return [OrderTold(key, last.id)]
    if last.new is None or table not in ("products", "customers"):
        return []
    if table == "customers":
        return [CustomerTold.of(last.new, last.id)]
    return _products(first.old, last.new, last.id, with_order=with_order)


def _products(old: Row | None, new: Row, version: int, *, with_order: bool) -> list[Told]:
    told: list[Told] = []
    if old is not None and old["stock"] != new["stock"] and not with_order:
        told.append(StockTold(new["isbn"], new["stock"] - old["stock"], version))
    if old is None or any(old[name] != new[name] for name in _DESCRIBED):
        told.append(BookTold.of(new, new["stock"] if old is None else None, version))
    return told


def _key(change: Change) -> int:
    row = change.new or change.old or {}
    return int(row.get("order_id" if change.table == "order_items" else "id", 0))
