"""What can be done in the shop: look at products, buy, look at orders. Knows no page and no HTTP."""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Protocol

from psycopg import Connection
from psycopg.errors import ForeignKeyViolation
from psycopg.rows import DictRow

from legacy import render
from legacy.db import Pool, Row
from legacy.errors import LoginFailed, NoSuchOrder, NoSuchProduct, NotEnoughStock
from legacy.render import Values

LISTED_ORDERS = 50
PAID, REFUSED = "P", "X"
Item = tuple[int, int]  # id of a product, quantity

_LIST = "SELECT * FROM products WHERE id > %(start)s ORDER BY id LIMIT %(count)s"
_SEARCH = """
    SELECT * FROM products WHERE id > %(start)s AND (title ILIKE %(like)s OR author ILIKE %(like)s)
    ORDER BY id LIMIT %(count)s
"""
_TAKE = "UPDATE products SET stock = stock - %(qty)s WHERE id = %(id)s AND stock >= %(qty)s RETURNING price"
_GIVE_BACK = "UPDATE products SET stock = stock + %(qty)s WHERE id = %(id)s"
_ORDER = "INSERT INTO orders (customer_id, status, total, created) VALUES (%s, %s, %s, %s) RETURNING id"
_ITEM = "INSERT INTO order_items (order_id, line, product_id, qty, price) VALUES (%s, %s, %s, %s, %s)"
_CHARGE = "INSERT INTO charges (order_id, amount, reference, created) VALUES (%s, %s, %s, %s)"
_ITEMS = """
    SELECT order_id, product_id, title, qty, order_items.price FROM order_items
    JOIN products ON products.id = product_id WHERE order_id = ANY(%s) ORDER BY order_id, line
"""


class Processor(Protocol):
    """Charges cards: a reference, or None when the card is declined."""

    def charge(self, order: int, amount: Decimal, card: str) -> str | None: ...


class Shop:
    """Products and orders; `now` is the shop's clock."""

    def __init__(self, pool: Pool, processor: Processor, now: Callable[[], datetime]) -> None:
        self._pool = pool
        self._processor = processor
        self._now = now

    def products(self, start: int, count: int, words: str = "") -> tuple[list[Values], int | None]:
        """Up to `count` products after the id `start`, and the id to go on after, if there are more."""
        like = "%" + words.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
        with self._pool.connection() as db:
            values = {"start": start, "count": count + 1, "like": like}
            rows = db.execute(_SEARCH if words else _LIST, values).fetchall()
        found = [render.product(row) for row in rows[:count]]
        return found, (found[-1]["id"] if len(rows) > count else None)

    def product(self, number: int) -> Values:
        """One product; raises `NoSuchProduct`."""
        rows = self.products_of([number])
        if not rows:
            raise NoSuchProduct
        return render.product(rows[0])

    def products_of(self, numbers: Iterable[int]) -> list[Row]:
        """The rows of those that exist, in the order of their ids."""
        with self._pool.connection() as db:
            return _rows_of(db, numbers)

    def place_order(self, customer: int, items: Sequence[Item], card: str) -> Values:
        """The new order: paid, or refused by the card. Each product stands in `items` once.

        Raises `NoSuchProduct`, `NotEnoughStock`, `CardProcessorDown`, `LoginFailed` (there is no such customer); then
        nothing has happened here. All is one transaction, so whoever wants the same books waits until the card is
        charged.
        """
        with self._pool.connection() as db:
            prices = _take(db, items)
            total = sum((prices[product] * quantity for product, quantity in items), Decimal(0))
            order = self._insert(db, customer, items, prices, total)
            reference = self._processor.charge(order, total, card)
            if reference is None:
                _refuse(db, order, items)
            else:
                db.execute(_CHARGE, (order, total, reference, self._now()))
            return _read_orders(db, "id = %s", (order,))[0]

    def orders(self, customer: int) -> list[Values]:
        """The customer's newest orders, the newest first."""
        with self._pool.connection() as db:
            return _read_orders(db, "customer_id = %s", (customer,))

    def order(self, customer: int, number: int) -> Values:
        """One order of the customer's; raises `NoSuchOrder`."""
        with self._pool.connection() as db:
            found = _read_orders(db, "customer_id = %s AND id = %s", (customer, number))
        if not found:
            raise NoSuchOrder
        return found[0]

    def _insert(
        self, db: Connection[DictRow], customer: int, items: Sequence[Item], prices: dict[int, Decimal], total: Decimal
    ) -> int:
        # It counts as paid before it is: nobody else sees it until the card has been charged.
        try:
            row = db.execute(_ORDER, (customer, PAID, total, self._now())).fetchone()
        except ForeignKeyViolation as error:
            raise LoginFailed from error
        assert row is not None  # noqa: S101 - an INSERT gives back what it inserted
        order: int = row["id"]
        lines = [(order, line, product, qty, prices[product]) for line, (product, qty) in enumerate(items, 1)]
        db.cursor().executemany(_ITEM, lines)
        return order


def _rows_of(db: Connection[DictRow], numbers: Iterable[int]) -> list[Row]:
    return db.execute("SELECT * FROM products WHERE id = ANY(%s) ORDER BY id", (list(numbers),)).fetchall()


def _take(db: Connection[DictRow], items: Sequence[Item]) -> dict[int, Decimal]:
    """Take the copies from the shelves; the price of each product.

    In the order of the ids, whatever the order in the basket: two customers who each hold the book that the other
    waits for would wait for ever.
    """
    known = {row["id"] for row in _rows_of(db, (product for product, _ in items))}
    in_order = sorted(items)
    for product, _ in in_order:
        if product not in known:
            raise NoSuchProduct(product)
    prices = {}
    for product, quantity in in_order:
        row = db.execute(_TAKE, {"id": product, "qty": quantity}).fetchone()
        if row is None:
            raise NotEnoughStock(product)
        prices[product] = row["price"]
    return prices


def _refuse(db: Connection[DictRow], order: int, items: Sequence[Item]) -> None:
    db.execute("UPDATE orders SET status = %s WHERE id = %s", (REFUSED, order))
    for product, quantity in items:  # the rows are locked already, in whatever order they come
        db.execute(_GIVE_BACK, {"id": product, "qty": quantity})


def _read_orders(db: Connection[DictRow], where: str, values: tuple[int, ...]) -> list[Values]:
    select = f"SELECT * FROM orders WHERE {where} ORDER BY id DESC LIMIT {LISTED_ORDERS}"  # noqa: S608 - our own words
    rows = db.execute(select.encode(), values).fetchall()
    items: dict[int, list[Row]] = {row["id"]: [] for row in rows}
    for item in db.execute(_ITEMS, (list(items),)):
        items[item["order_id"]].append(item)
    return [render.order(row, items[row["id"]]) for row in rows]
