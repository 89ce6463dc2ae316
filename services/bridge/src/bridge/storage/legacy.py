"""Reading the old shop: its orders as wholes, the UUIDs of its rows, and its tables in chunks for the snapshot."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from bridge.domain import (
    FIRST_OF_SHOP,
    LEGACY,
    SHOP,
    BookTold,
    CustomerTold,
    LegacyLine,
    LegacyOrder,
    OrderTold,
    Told,
    to_utc,
)
from bridge.storage.tables import change, chunk, customers, link, order_items, orders, products

_numbers = sa.bindparam("numbers", type_=sa.ARRAY(sa.BigInteger))
_orders = (
    sa.select(orders, customers.c.created.label("customer_since"))
    .join(customers, customers.c.id == orders.c.customer_id)
    .where(orders.c.id == sa.any_(_numbers))
)
_lines = (
    sa.select(order_items.c.order_id, order_items.c.qty, order_items.c.price, products.c.isbn, products.c.title)
    .join(products, products.c.id == order_items.c.product_id)
    .where(order_items.c.order_id == sa.any_(_numbers))
    .order_by(order_items.c.order_id, order_items.c.line)
)
_links = sa.select(link.c.number, link.c.id).where(
    link.c.kind == sa.bindparam("kind"), link.c.number == sa.any_(_numbers)
)
_present = sa.select(orders.c.id).where(orders.c.id == sa.any_(_numbers))

_after, _limit = sa.bindparam("after", type_=sa.BigInteger), sa.bindparam("limit", type_=sa.Integer)
_of_shop = sa.select(link.c.number).where(link.c.origin == SHOP)
_customers = (
    sa.select(customers)
    .where(customers.c.id > _after, customers.c.id.not_in(_of_shop.where(link.c.kind == "customer")))
    .order_by(customers.c.id)
    .limit(_limit)
)
_products = (
    sa.select(products)
    .where(products.c.id > _after, products.c.id < FIRST_OF_SHOP)
    .order_by(products.c.id)
    .limit(_limit)
)
_sold = (
    sa.select(order_items.c.product_id, sa.func.sum(order_items.c.qty).label("sold"))
    .join(orders, orders.c.id == order_items.c.order_id)
    .where(
        orders.c.status == "P",
        order_items.c.product_id.between(sa.bindparam("first"), sa.bindparam("last")),
    )
    .group_by(order_items.c.product_id)
)
_ended = (
    sa.select(orders.c.id)
    .where(
        orders.c.id > _after, orders.c.id < FIRST_OF_SHOP, orders.c.id.not_in(_of_shop.where(link.c.kind == "order"))
    )
    .order_by(orders.c.id)
    .limit(_limit)
)
_counts = sa.select(
    *(
        sa.select(sa.func.count()).select_from(table).scalar_subquery().label(table.name)
        for table in (customers, products, orders)
    )
)
_watermark = sa.select(sa.func.max(change.c.id))


@dataclass(frozen=True)
class Chunk:
    """Rows of one table, by their numbers, as they were when `watermark` was the newest change."""

    told: Sequence[Told]
    last: int
    watermark: int


async def load_orders(connection: AsyncConnection, numbers: Sequence[int]) -> list[LegacyOrder]:
    """The orders with these numbers that exist, with their lines, as they are now."""
    found = (await connection.execute(_orders, {"numbers": numbers})).all()
    lines: dict[int, list[LegacyLine]] = {}
    for row in (await connection.execute(_lines, {"numbers": numbers})).all():
        lines.setdefault(row.order_id, []).append(LegacyLine(row.isbn, row.title, row.qty, row.price))
    return [
        LegacyOrder(
            row.id,
            row.customer_id,
            to_utc(row.customer_since),
            row.status,
            row.total,
            to_utc(row.created),
            tuple(lines.get(row.id, ())),
        )
        for row in found
    ]


async def linked(connection: AsyncConnection, kind: str, derived: Mapping[int, UUID]) -> dict[int, UUID]:
    """The UUIDs that these numbers have; those that have none get the derived one, for good."""
    if not derived:
        return {}
    known = await _known(connection, kind, list(derived))
    new = [
        {"kind": kind, "number": number, "id": derived[number], "origin": LEGACY}
        for number in sorted(derived.keys() - known.keys())
    ]
    if not new:
        return known
    await connection.execute(insert(link).on_conflict_do_nothing(), new)
    return await _known(connection, kind, list(derived))


async def _known(connection: AsyncConnection, kind: str, numbers: Sequence[int]) -> dict[int, UUID]:
    rows = (await connection.execute(_links, {"kind": kind, "numbers": numbers})).all()
    return {row.number: row.id for row in rows}


async def present(connection: AsyncConnection, numbers: Sequence[int]) -> set[int]:
    """Which of these orders exist."""
    return set((await connection.execute(_present, {"numbers": numbers})).scalars())


async def count_rows(connection: AsyncConnection) -> dict[str, int]:
    """How many rows each table has, by its name."""
    return dict((await connection.execute(_counts)).one()._mapping)


async def read_chunk(connection: AsyncConnection, table: str, after: int, limit: int) -> Chunk:
    """The next rows, within a transaction that repeats its reads: it sees the changes up to the watermark and no other.

    The new shop's own rows, which were written back, are left out. Of products the chunk is noted, under a lock that
    keeps write-backs out meanwhile: they must find it in time, for what it read may be older than what they write.
    """
    if table == "products":
        # The first statement, and no query: the transaction's view begins after it.
        await connection.execute(sa.text("LOCK TABLE bridge.chunk IN EXCLUSIVE MODE"))
    watermark = int((await connection.execute(_watermark)).scalar_one())
    told = await _READ[table](connection, {"after": after, "limit": limit}, watermark)
    numbers = [each.number for each in told]
    if table == "products" and numbers:
        noted = {"first_id": numbers[0], "last_id": numbers[-1], "watermark": watermark}
        await connection.execute(sa.insert(chunk), noted)
    return Chunk(told, max(numbers, default=after), watermark)


async def _read_customers(connection: AsyncConnection, page: Any, watermark: int) -> list[Any]:
    rows = (await connection.execute(_customers, page)).mappings()
    return [CustomerTold.of(row, watermark) for row in rows]


async def _read_products(connection: AsyncConnection, page: Any, watermark: int) -> list[Any]:
    rows = (await connection.execute(_products, page)).mappings().all()
    if not rows:
        return []
    counted = await connection.execute(_sold, {"first": rows[0]["id"], "last": rows[-1]["id"]})
    sold = {row.product_id: row.sold for row in counted}
    return [BookTold.of(row, row["stock"] + sold.get(row["id"], 0), watermark) for row in rows]


async def _read_orders(connection: AsyncConnection, page: Any, watermark: int) -> list[Any]:
    return [OrderTold(number, watermark) for number in (await connection.execute(_ended, page)).scalars()]


_READ = {"customers": _read_customers, "products": _read_products, "orders": _read_orders}
