"""What the databases hold, as far as the invariants speak of it. Each class is one row; its query stands beside it."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, TypeAlias, TypeVar
from uuid import UUID

import asyncpg
import orjson

T = TypeVar("T")
Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"


@dataclass(frozen=True)
class Order:
    id: UUID
    customer_id: UUID
    state: str
    lines: Any
    total_amount: int
    currency: str
    placed_at: datetime
    updated_at: datetime
    version: int
    number: int
    origin: str

    @property
    def own(self) -> bool:
        """Whether this shop has taken it; the others were taken over from the old one."""
        return self.origin == "shop"

    @property
    def ended(self) -> bool:
        return self.state in ("confirmed", "cancelled")

    @property
    def copies(self) -> dict[str, int]:
        """Quantities by ISBN: in an order of the old shop a book may stand in two lines."""
        copies: Counter[str] = Counter()
        for line in self.lines:
            copies[line["isbn"]] += line["quantity"]
        return dict(copies)

    @property
    def sold(self) -> tuple[tuple[str, int, int], ...]:
        """ISBN, quantity and unit price of each line, by ISBN."""
        return tuple(sorted((line["isbn"], line["quantity"], line["amount"]) for line in self.lines))


@dataclass(frozen=True)
class Saga:
    order_id: UUID
    direction: str


@dataclass(frozen=True)
class HistoryEntry:
    order_id: UUID
    event: str
    at: datetime


@dataclass(frozen=True)
class UsedKey:
    """An idempotency key whose request was answered."""

    caller: str
    key: str
    location: str | None


@dataclass(frozen=True)
class HeardPrice:
    isbn: str
    title: str
    amount: int
    currency: str
    version: int


@dataclass(frozen=True)
class Book:
    isbn: str
    title: str
    price_amount: int
    currency: str
    version: int


@dataclass(frozen=True)
class Stock:
    """`oversold`: copies that the old shop sold as well, when there were no more."""

    isbn: str
    received: int
    on_hand: int
    reserved: int
    oversold: int

    @property
    def left(self) -> int:
        """Below nothing when more were sold than there are."""
        return self.on_hand - self.oversold


@dataclass(frozen=True)
class Reservation:
    order_id: UUID
    state: str
    lines: Any


@dataclass(frozen=True)
class Payment:
    order_id: UUID
    amount: int
    currency: str
    state: str
    charge_id: UUID | None

    @property
    def holds(self) -> int:
        """Money of the order that payments believes to be with us."""
        return self.amount if self.state in ("charged", "refunding") else 0


@dataclass(frozen=True)
class Charge:
    id: UUID
    key: str
    amount: int
    currency: str
    state: str
    refunded: int
    refunds: int

    @property
    def holds(self) -> int:
        """Money that the card processor has taken and not given back."""
        return self.amount - self.refunds if self.state == "charged" else 0


@dataclass(frozen=True)
class Outgoing:
    """A row of an outbox."""

    id: int
    message_id: UUID
    type: str
    aggregate: str
    created_at: datetime
    published_at: datetime | None
    version: int


@dataclass(frozen=True)
class Incoming:
    """A row of an inbox."""

    message_id: UUID
    handled_at: datetime


QUERIES: Mapping[type, str] = {
    Order: "SELECT {columns} FROM orders ORDER BY id",
    Saga: "SELECT {columns} FROM saga",
    HistoryEntry: "SELECT {columns} FROM order_history ORDER BY order_id, id",
    UsedKey: "SELECT {columns} FROM idempotency_key WHERE status IS NOT NULL",
    HeardPrice: "SELECT {columns} FROM heard_price",
    Book: "SELECT {columns} FROM books",
    Stock: "SELECT {columns} FROM stock",
    Reservation: """
        SELECT r.order_id, state, jsonb_object_agg(coalesce(l.isbn, ''), coalesce(quantity, 0)) - '' AS lines
        FROM reservation r LEFT JOIN reservation_line l USING (order_id) GROUP BY r.order_id
    """,
    Payment: "SELECT {columns} FROM payment",
    Charge: """
        SELECT id, key, amount, currency, state, refunded,
               (SELECT coalesce(sum(amount), 0)::bigint FROM refund WHERE charge_id = charge.id) AS refunds
        FROM charge
    """,
    Outgoing: """
        SELECT id, message_id, type, aggregate, created_at, published_at,
               (convert_from(payload, 'UTF8')::json ->> 'aggregateversion')::int AS version
        FROM outbox ORDER BY id
    """,
    Incoming: "SELECT {columns} FROM inbox",
}


async def read(connection: Connection, row: type[T]) -> list[T]:
    """All rows of one kind."""
    columns = ", ".join(field.name for field in fields(row))  # type: ignore[arg-type]
    query = QUERIES[row].replace("{columns}", columns)
    return [row(**record) for record in await connection.fetch(query)]


async def prepare(connection: Connection) -> None:
    """JSON columns as Python values."""
    await connection.set_type_codec("jsonb", encoder=orjson.dumps, decoder=orjson.loads, schema="pg_catalog")


async def has(connection: Connection, table: str) -> bool:
    """Whether the database has a table of this name."""
    return bool(await connection.fetchval("SELECT to_regclass($1) IS NOT NULL", table))
