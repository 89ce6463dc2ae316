"""Writing to the old shop: one transaction a message, marked so that it is recorded and not told again."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from bridge.domain import SHOP, ShopBook, ShopOrder, to_decimal, to_local
from bridge.storage.tables import chunk, customers, inbox, link, order_items, orders, products, written
from chassis.inbox import Inbox
from chassis.storage import Database

# The lock lets write-backs work beside each other, and a snapshot's chunk of products not beside any.
_BESIDE_NO_CHUNK = sa.text("LOCK TABLE bridge.chunk IN ROW EXCLUSIVE MODE")
_MARK = sa.select(sa.func.set_config("bridge.origin", SHOP, True))  # until the commit, at which the triggers read it
_isbns = sa.bindparam("isbns", type_=sa.ARRAY(sa.Text))
_numbers_of = sa.select(products.c.isbn, products.c.id).where(products.c.isbn == sa.any_(_isbns))
_customer = sa.select(link.c.number).where(link.c.kind == "customer", link.c.id == sa.bindparam("of"))
_placeholder = insert(customers).on_conflict_do_nothing(index_elements=[customers.c.email]).returning(customers.c.id)
_by_email = sa.select(customers.c.id).where(customers.c.email == sa.bindparam("of"))
_link = insert(link).on_conflict_do_nothing()
_add_order = insert(orders).on_conflict_do_nothing(index_elements=[orders.c.id]).returning(orders.c.id)
_take = (
    sa.update(products)
    .where(products.c.id == sa.bindparam("of"))
    .values(stock=products.c.stock - sa.bindparam("taking"))
    .returning(products.c.stock)
)
_note = insert(written)
_newest = _note.on_conflict_do_update(
    index_elements=[written.c.isbn],
    set_={"version": _note.excluded.version},
    where=written.c.version < _note.excluded.version,
).returning(written.c.version)
_lock_book = sa.select(products.c.id).where(products.c.isbn == sa.bindparam("of")).with_for_update()
_changed_since = sa.text(
    "SELECT EXISTS (SELECT FROM bridge.change WHERE new ->> 'id' = :number AND id > :version"
    " AND tbl = 'products' AND origin IS NULL AND (old - 'stock') IS DISTINCT FROM (new - 'stock'))"
)
_copied_since = sa.select(
    sa.exists().where(
        chunk.c.watermark > sa.bindparam("version"),
        sa.bindparam("number", type_=sa.BigInteger).between(chunk.c.first_id, chunk.c.last_id),
    )
)
_NO_SALT, _NO_HASH = "-" * 8, "-" * 40  # no password hashes to this


class SqlWriteBack:
    """One transaction on the old shop's tables."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def product_numbers(self, isbns: Sequence[str]) -> dict[str, int]:
        rows = await self._connection.execute(_numbers_of, {"isbns": isbns})
        return {row.isbn: row.id for row in rows}

    async def add_order(self, order: ShopOrder, numbers: dict[str, int]) -> bool:
        """The order, its lines and whose it is; False when it is there already."""
        customer = await self._customer_number(order)
        row = {
            "id": order.number,
            "customer_id": customer,
            "status": order.status,
            "total": to_decimal(order.total),
            "created": to_local(order.placed_at),
        }
        if await self._connection.scalar(_add_order, row) is None:
            return False
        lines = [
            {
                "order_id": order.number,
                "line": place,
                "product_id": numbers[line.isbn],
                "qty": line.quantity,
                "price": to_decimal(line.unit_price),
            }
            for place, line in enumerate(order.lines, 1)
        ]
        await self._connection.execute(sa.insert(order_items), lines)
        await self._connection.execute(
            _link, {"kind": "order", "number": order.number, "id": order.order_id, "origin": SHOP}
        )
        return True

    async def take(self, number: int, quantity: int) -> int:
        """Take books from the shelf; returns what is left on it, which may be less than nothing."""
        return int((await self._connection.execute(_take, {"of": number, "taking": quantity})).scalar_one())

    async def is_newest(self, book: ShopBook) -> bool:
        """Note the version; False when it, or a later one, was written before."""
        return await self._connection.scalar(_newest, {"isbn": book.isbn, "version": book.version}) is not None

    async def lock_book(self, isbn: str) -> int | None:
        """The product's number, and nobody else changes it until the end of the transaction."""
        return (await self._connection.execute(_lock_book, {"of": isbn})).scalar_one_or_none()

    async def told_since(self, number: int, version: int) -> bool:
        """Whether the old shop's content of a product went, or will go, to the catalogue with a later version."""
        if await self._connection.scalar(_changed_since, {"number": str(number), "version": version}):
            return True
        return bool(await self._connection.scalar(_copied_since, {"number": number, "version": version}))

    async def revise(self, number: int, book: ShopBook) -> None:
        """Give the product this content."""
        await self._connection.execute(sa.update(products).where(products.c.id == number).values(_content(book)))

    async def add_book(self, book: ShopBook) -> None:
        """A product with nothing on the shelf."""
        row = {"id": book.number, "isbn": book.isbn, "stock": 0, **_content(book)}
        await self._connection.execute(sa.insert(products).values(row))

    async def _customer_number(self, order: ShopOrder) -> int:
        known = (await self._connection.execute(_customer, {"of": order.customer_id})).scalar_one_or_none()
        if known is not None:
            return int(known)
        email = f"customer-{order.customer_id}@shop.invalid"
        row = {"email": email, "name": "Customer of the new shop", "salt": _NO_SALT, "password": _NO_HASH}
        added = await self._connection.scalar(_placeholder, {**row, "created": to_local(order.placed_at)})
        number = added or (await self._connection.execute(_by_email, {"of": email})).scalar_one()
        await self._connection.execute(
            _link, {"kind": "customer", "number": number, "id": order.customer_id, "origin": SHOP}
        )
        return int(number)


class SqlStorage:
    """Opens the transactions."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._inbox = Inbox(inbox)

    @asynccontextmanager
    async def begin(self, handling: UUID) -> AsyncIterator[SqlWriteBack]:
        """One transaction, which is the effect of the message `handling`; raises `AlreadyHandled`."""
        async with self._database.transaction() as connection:
            await connection.execute(_BESIDE_NO_CHUNK)
            await connection.execute(_MARK)
            await self._inbox.accept(connection, handling)
            yield SqlWriteBack(connection)

    async def forget_old(self) -> None:
        """Delete what the inbox need no longer hold."""
        async with self._database.transaction() as connection:
            await self._inbox.forget_old(connection)


def _content(book: ShopBook) -> dict[str, object]:
    return {"title": book.title, "author": book.author, "year": book.year, "price": to_decimal(book.price)}
