"""Invariants over both stores, of a shop that replaces an old one: orders stand in both, shelves and money agree.

They hold once the old shop was copied as a whole; before that nobody can say what is missing.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator

from tests.invariants.ledgers import Order, Payment, Stock
from tests.invariants.old_shop import FIRST_NUMBER, OldOrder
from tests.invariants.snapshot import Snapshot
from tests.invariants.verdict import unless

STATUS = {"confirmed": "P", "cancelled": "X"}


def have_each_order_of_the_new_one(shop: Snapshot) -> Iterator[str | None]:
    old = {order.number: order for order in shop.old.orders}
    for order in shop.all(Order):
        if order.ended:
            yield _difference(order, old.get(order.number))


def have_each_order_of_the_old_one(shop: Snapshot) -> Iterator[str | None]:
    new: defaultdict[int, list[Order]] = defaultdict(list)
    for order in shop.all(Order):
        new[order.number].append(order)
    for old in shop.old.orders:
        found = new[old.number]
        text = f"order {old.number} of the old shop is in the new one as {_named(found)}"
        yield unless([STATUS.get(order.state) for order in found] == [old.status], text)


def have_the_same_on_their_shelves(shop: Snapshot) -> Iterator[str | None]:
    """Of books that began in the old shop: of the new shop's own it was never given any."""
    stocks = {stock.isbn: stock for stock in shop.all(Stock)}
    for product in shop.old.products:
        if product.number < FIRST_NUMBER and (stock := stocks.get(product.isbn)):
            text = f"{product.isbn}: {stock.left} in inventory, {product.stock} in the old shop"
            yield unless(stock.left == product.stock, text)


def take_money_in_one_place(shop: Snapshot) -> Iterator[str | None]:
    """A confirmed order is paid on the side that took it, and on no other; one that is not confirmed, on none."""
    here = Counter(payment.order_id for payment in shop.all(Payment) if payment.holds)
    there = Counter(charge.number for charge in shop.old.charges)
    for order in shop.all(Order):
        paid = (here[order.id], there.pop(order.number, 0))
        due = (0, 0) if order.state != "confirmed" else (1, 0) if order.own else (0, 1)
        text = f"order {order.id} ({order.number}) is {order.state}, of {order.origin}"
        yield unless(paid == due, f"{text}, and paid {paid[0]} times in payments, {paid[1]} times in the old shop")
    for number in there:
        yield f"the old shop was paid for order {number}, which the new one does not know"


def _difference(order: Order, old: OldOrder | None) -> str | None:
    name = f"order {order.id} ({order.number})"
    if old is None:
        return f"{name} is {order.state}, and not in the old shop"
    mine = (STATUS[order.state], order.total_amount, order.sold)
    theirs = (old.status, old.total, old.lines)
    return unless(mine == theirs, f"{name} differs: {mine} here, {theirs} in the old shop")


def _named(found: list[Order]) -> str:
    return ", ".join(f"{order.id} ({order.state})" for order in found) or "nothing"
