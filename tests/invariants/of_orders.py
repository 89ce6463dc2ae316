"""Invariants of orders: each ends, tells one story of itself, and was asked for once."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import timedelta

from tests.invariants.ledgers import HistoryEntry, Order, Saga, UsedKey
from tests.invariants.old_shop import FIRST_NUMBER
from tests.invariants.snapshot import Snapshot
from tests.invariants.verdict import unless

# Keys are kept for a day after their claim; an order that is older has lost its key lawfully.
KEYS_KEPT = timedelta(hours=23)
VERSIONS = {"pending": 1, "confirmed": 2, "cancelling": 2, "cancelled": 3}
DIRECTIONS = {"pending": "forward", "cancelling": "backward", "confirmed": "ended", "cancelled": "ended"}
CONFIRMED_STORY = ["placed", "stock-reserved", "card-charged", "stock-committed", "confirmed"]


def ended(shop: Snapshot) -> Iterator[str | None]:
    for order in shop.all(Order):
        yield unless(order.ended, f"order {order.id} is {order.state} since {order.updated_at:%H:%M:%S}")


def agree_with_their_saga(shop: Snapshot) -> Iterator[str | None]:
    directions = {saga.order_id: saga.direction for saga in shop.all(Saga)}
    for order in shop.all(Order):
        found = directions.get(order.id, "missing")
        # One that was taken over had ended over there; its version counts what the old shop told of it.
        moved = order.version == VERSIONS[order.state] if order.own else order.ended
        good = moved and found == DIRECTIONS[order.state]
        yield unless(good, f"order {order.id} is {order.state} (version {order.version}), its saga is {found}")


def have_a_consistent_history(shop: Snapshot) -> Iterator[str | None]:
    histories: defaultdict[object, list[HistoryEntry]] = defaultdict(list)
    for entry in shop.all(HistoryEntry):
        histories[entry.order_id].append(entry)
    for order in shop.all(Order):
        wrong = _wrong_in(order, histories.pop(order.id, []))
        yield unless(wrong is None, f"order {order.id}: {wrong}")
    for stray in histories:
        yield f"there is a history, and no order {stray}"


def _wrong_in(order: Order, history: list[HistoryEntry]) -> str | None:
    events = [entry.event for entry in history]
    if not order.own:
        return unless(
            events == ["imported"] * order.version, f"taken over {order.version} times, its history: {events}"
        )
    story = " → ".join(events)
    if not events or events[0] != "placed" or max(Counter(events).values()) > 1:
        return f"it does not begin with one `placed`, or repeats itself: {story}"
    if [entry.at for entry in history] != sorted(entry.at for entry in history):
        return f"its times run backwards: {story}"
    if order.state == "confirmed" and events != CONFIRMED_STORY:
        return f"confirmed after {story}"
    if order.state == "cancelled" and not (events[-1] == "cancelled" and "cancelling" in events):
        return f"cancelled after {story}"
    return None


def cost_the_sum_of_their_lines(shop: Snapshot) -> Iterator[str | None]:
    for order in shop.all(Order):
        total = sum(line["quantity"] * line["amount"] for line in order.lines)
        currencies = {line["currency"] for line in order.lines}
        good = (total, currencies) == (order.total_amount, {order.currency})
        yield unless(good, f"order {order.id} costs {order.total_amount} {order.currency}, its lines {total}")


def have_a_number_of_their_own(shop: Snapshot) -> Iterator[str | None]:
    """Each shop numbers the orders that it takes, in a range that the other one keeps out of."""
    given = Counter(order.number for order in shop.all(Order))
    for order in shop.all(Order):
        good = given[order.number] == 1 and order.own == (order.number >= FIRST_NUMBER)
        text = f"order {order.id} of {order.origin} has number {order.number}, given {given[order.number]} times"
        yield unless(good, text)


def were_asked_for_once(shop: Snapshot) -> Iterator[str | None]:
    """One order for each customer and key, and one key for each order."""
    orders = {f"/api/orders/{order.id}": order for order in shop.all(Order)}
    used = shop.all(UsedKey)
    named = Counter(key.location for key in used)
    for key in used:
        order = orders.get(key.location or "")
        good = order is not None and str(order.customer_id) == key.caller and named[key.location] == 1
        text = f"key {key.key!r} of {key.caller} stands for {key.location}, named {named[key.location]} times"
        yield unless(good, text)
    for location, order in orders.items():
        if order.own and order.placed_at > shop.taken_at - KEYS_KEPT and location not in named:
            yield f"order {order.id} exists, and no key stands for it"
