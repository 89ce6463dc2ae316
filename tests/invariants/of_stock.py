"""Invariants of stock: nothing appears or vanishes, and what is held is held for somebody."""

from collections import Counter
from collections.abc import Iterator

from tests.invariants.ledgers import Order, Reservation, Stock
from tests.invariants.snapshot import Snapshot
from tests.invariants.verdict import unless


def is_never_negative(shop: Snapshot) -> Iterator[str | None]:
    for stock in shop.all(Stock):
        text = f"{stock.isbn}: received {stock.received}, on hand {stock.on_hand}, reserved {stock.reserved}"
        good = 0 <= stock.reserved <= stock.on_hand <= stock.received + stock.oversold and stock.oversold >= 0
        yield unless(good, f"{text}, oversold {stock.oversold}")


def is_what_was_received_less_what_was_sold(shop: Snapshot) -> Iterator[str | None]:
    sold: Counter[str] = Counter()
    for order in shop.all(Order):
        if order.state == "confirmed":
            sold.update(order.copies)
    for stock in shop.all(Stock):
        expected = stock.received - sold.pop(stock.isbn, 0)
        yield unless(stock.left == expected, f"{stock.isbn}: {stock.left} on hand, should be {expected}")
    for isbn, copies in sold.items():
        yield f"{isbn}: {copies} sold, and never received"


def is_reserved_as_much_as_is_held(shop: Snapshot) -> Iterator[str | None]:
    held: Counter[str] = Counter()
    for reservation in shop.all(Reservation):
        if reservation.state == "held":
            held.update(reservation.lines)
    for stock in shop.all(Stock):
        expected = held[stock.isbn]
        yield unless(stock.reserved == expected, f"{stock.isbn}: {stock.reserved} reserved, {expected} held")


def reservations_do_not_outlive_their_order(shop: Snapshot) -> Iterator[str | None]:
    orders = {order.id: order for order in shop.all(Order)}
    for reservation in shop.all(Reservation):
        order = orders.get(reservation.order_id)
        if order is None:
            yield f"reservation {reservation.order_id} is {reservation.state}, and there is no such order"
        elif reservation.state == "held" and order.ended:
            yield f"order {order.id} is {order.state}, and its reservation still held"
        else:
            yield None


def is_committed_for_confirmed_orders_only(shop: Snapshot) -> Iterator[str | None]:
    reservations = {reservation.order_id: reservation for reservation in shop.all(Reservation)}
    for order in shop.all(Order):
        reservation = reservations.get(order.id)
        state = "missing" if reservation is None else reservation.state
        if (order.state == "confirmed") != (state == "committed"):
            yield f"order {order.id} is {order.state}, its reservation is {state}"
        elif reservation is not None and state == "committed" and reservation.lines != order.copies:
            yield f"order {order.id} is for {order.copies}, committed was {reservation.lines}"
        else:
            yield None
