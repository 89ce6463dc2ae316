"""Invariants of money: what the card processor holds is what payments says, and what confirmed orders cost.

An order that the old shop took is paid there: then its charges stand for payments, and its own order for what is due.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator

from tests.invariants.ledgers import Charge, Order, Payment
from tests.invariants.old_shop import CURRENCY, key_of
from tests.invariants.snapshot import Snapshot
from tests.invariants.verdict import unless

Amounts = Counter[tuple[str, str]]


def agrees_for_every_order(shop: Snapshot) -> Iterator[str | None]:
    taken, believed, due = _taken(shop), _believed(shop), _due(shop)
    for key in {(str(order.id), order.currency) for order in shop.all(Order)} | set(taken) | set(believed):
        order, currency = key
        sums = f"due {due[key]}, at the processor {taken[key]}, in payments {believed[key]} {currency}"
        yield unless(taken[key] == believed[key] == due[key], f"order {order}: {sums}")


def agrees_in_sum(shop: Snapshot) -> Iterator[str | None]:
    sums = [_by_currency(amounts) for amounts in (_due(shop), _taken(shop), _believed(shop))]
    for currency in sorted(set().union(*sums)):
        due, taken, believed = (amounts[currency] for amounts in sums)
        good = due == taken == believed
        yield unless(good, f"{currency}: due {due}, at the processor {taken}, in payments {believed}")


def is_charged_once_at_most(shop: Snapshot) -> Iterator[str | None]:
    """One charge for each order at the processor; the one that payments knows."""
    charges: defaultdict[str, list[Charge]] = defaultdict(list)
    for charge in shop.all(Charge):
        charges[charge.key].append(charge)
    known = Counter(payment.order_id for payment in shop.all(Payment))
    for payment in shop.all(Payment):
        charged = [charge for charge in charges.pop(str(payment.order_id), []) if charge.state == "charged"]
        expected = [] if payment.charge_id is None else [payment.charge_id]
        good = [charge.id for charge in charged] == expected and known[payment.order_id] == 1
        texts = (f"{len(charged)} charges at the processor", f"{known[payment.order_id]} payments, {payment.state}")
        yield unless(good, f"order {payment.order_id}: {', '.join(texts)}, charge {payment.charge_id}")
    yield from _charged_by_the_old_shop(shop, charges)
    for key, strays in charges.items():
        yield f"the processor has {len(strays)} charges under {key!r}, of which payments knows nothing"


def _charged_by_the_old_shop(shop: Snapshot, charges: dict[str, list[Charge]]) -> Iterator[str | None]:
    for order in (order for order in shop.old.orders if order.own):
        believed = [charge.amount for charge in shop.old.charges if charge.number == order.number]
        charged = [charge.amount for charge in charges.pop(key_of(order.number), []) if charge.state == "charged"]
        text = f"order {order.number} of the old shop: {charged} at the processor, {believed} in its charges"
        yield unless(charged == believed and len(believed) <= 1, text)


def is_given_back_as_recorded(shop: Snapshot) -> Iterator[str | None]:
    for charge in shop.all(Charge):
        good = charge.refunded == charge.refunds and 0 <= charge.refunds <= charge.amount
        yield unless(
            good, f"charge {charge.id} of {charge.amount}: refunded {charge.refunded}, refunds {charge.refunds}"
        )


def _taken(shop: Snapshot) -> Amounts:
    amounts: Amounts = Counter()
    for charge in shop.all(Charge):
        amounts[charge.key, charge.currency] += charge.holds
    return amounts


def _believed(shop: Snapshot) -> Amounts:
    amounts = Counter({(str(p.order_id), p.currency): p.holds for p in shop.all(Payment)})
    for charge in shop.old.charges:
        amounts[charge.key, CURRENCY] += charge.amount
    return amounts


def _due(shop: Snapshot) -> Amounts:
    confirmed = (order for order in shop.all(Order) if order.state == "confirmed" and order.own)
    amounts = Counter({(str(order.id), order.currency): order.total_amount for order in confirmed})
    for order in shop.old.orders:
        if order.own and order.status == "P":
            amounts[key_of(order.number), CURRENCY] += order.total
    return amounts


def _by_currency(amounts: Amounts) -> Counter[str]:
    sums: Counter[str] = Counter()
    for (_, currency), amount in amounts.items():
        sums[currency] += amount
    return +sums
