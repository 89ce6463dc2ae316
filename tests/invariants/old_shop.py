"""What the old shop's database holds, and how far the bridge beside it has come. Amounts are cents here.

There may be none: a shop that replaced nobody has no such database, and one whose old shop is not bridged yet has no
schema `bridge` in it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from tests.invariants.ledgers import Connection, Incoming

FIRST_NUMBER = 1_000_001
"""From here on numbers are the new shop's."""
CURRENCY = "EUR"
COPIED = ("customers", "products", "orders")
CAPTURED = """
    SELECT (SELECT count(*) FROM bridge.change WHERE id > (SELECT coalesce(max(id), 0) FROM bridge.position)),
           (SELECT count(*) FROM bridge.snapshot WHERE NOT done),
           (SELECT coalesce(array_agg(tbl), '{}') FROM bridge.snapshot WHERE done)
"""
ORDERS = """
    SELECT o.id AS number, o.status, (o.total * 100)::bigint AS total,
           jsonb_agg(jsonb_build_array(p.isbn, i.qty, (i.price * 100)::bigint))
               FILTER (WHERE i.line IS NOT NULL) AS lines
    FROM orders o LEFT JOIN order_items i ON i.order_id = o.id LEFT JOIN products p ON p.id = i.product_id
    GROUP BY o.id ORDER BY o.id
"""
PRODUCTS = "SELECT id AS number, isbn, stock FROM products ORDER BY isbn"
CHARGES = "SELECT order_id AS number, (amount * 100)::bigint AS amount FROM charges"

Line: TypeAlias = tuple[str, int, int]
"""ISBN, quantity, unit price."""


@dataclass(frozen=True)
class OldOrder:
    """`status`: P paid, X refused by the card. The lines by ISBN."""

    number: int
    status: str
    total: int
    lines: tuple[Line, ...]

    @property
    def own(self) -> bool:
        """Whether the old shop has taken it; the others were written back."""
        return self.number < FIRST_NUMBER


@dataclass(frozen=True)
class Product:
    number: int
    isbn: str
    stock: int


@dataclass(frozen=True)
class OldCharge:
    """`number` is the order's."""

    number: int
    amount: int

    @property
    def key(self) -> str:
        """Under which the card processor knows it."""
        return key_of(self.number)


@dataclass(frozen=True)
class Bridge:
    """`pending` changes are recorded and not published; `copying` tables are begun and not ended."""

    pending: int
    copying: int
    copied: bool

    @property
    def work(self) -> Sequence[str]:
        """What it has left to do, in words, each with its count."""
        return f"{self.pending} changes of the old shop", f"{self.copying} tables to copy"


@dataclass(frozen=True)
class OldShop:
    """Empty where there is none."""

    orders: Sequence[OldOrder] = ()
    products: Sequence[Product] = ()
    charges: Sequence[OldCharge] = ()
    bridge: Bridge | None = None
    inbox: Sequence[Incoming] = ()

    @property
    def joined(self) -> bool:
        """Whether all of it was copied to the new shop, so that the two can be held against each other."""
        return self.bridge is not None and self.bridge.copied


def key_of(number: int) -> str:
    """The old shop's name for an order at the card processor."""
    return f"legacy-{number}"


async def read_old_shop(connection: Connection) -> OldShop:
    """Everything at one moment; nothing of a database in which no old shop was installed."""
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        if not await connection.fetchval("SELECT to_regclass('public.charges') IS NOT NULL"):
            return OldShop()
        return OldShop(
            [
                OldOrder(row["number"], row["status"], row["total"], tuple(sorted(map(tuple, row["lines"] or ()))))
                for row in await connection.fetch(ORDERS)
            ],
            [Product(**row) for row in await connection.fetch(PRODUCTS)],
            [OldCharge(**row) for row in await connection.fetch(CHARGES)],
            bridge := await read_bridge(connection),
            [] if bridge is None else await _inbox(connection),
        )


async def read_bridge(connection: Connection) -> Bridge | None:
    """How far it has come; None where it was never installed."""
    if not await connection.fetchval("SELECT to_regclass('bridge.inbox') IS NOT NULL"):
        return None
    pending, copying, copied = await connection.fetchrow(CAPTURED) or (0, 0, ())
    return Bridge(pending, copying, set(copied) >= set(COPIED))


async def _inbox(connection: Connection) -> list[Incoming]:
    return [Incoming(**row) for row in await connection.fetch("SELECT message_id, handled_at FROM bridge.inbox")]
