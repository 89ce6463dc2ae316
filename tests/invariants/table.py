"""The list of invariants, and checking them. Each is a function that yields once for each row that it has looked at:
None if all is well, a text if not."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from tests.invariants import of_both_shops, of_messages, of_money, of_orders, of_prices, of_stock
from tests.invariants.snapshot import Snapshot

EXAMPLES = 5
Check = Callable[[Snapshot], Iterator[str | None]]

INVARIANTS: tuple[tuple[str, Check], ...] = (
    ("every accepted order has ended", of_orders.ended),
    ("order, version and saga agree", of_orders.agree_with_their_saga),
    ("each order's history is one story", of_orders.have_a_consistent_history),
    ("an order costs the sum of its lines", of_orders.cost_the_sum_of_their_lines),
    ("one order for each customer and key", of_orders.were_asked_for_once),
    ("each order has a number of its own", of_orders.have_a_number_of_their_own),
    ("stock is never negative", of_stock.is_never_negative),
    ("stock on hand = received − confirmed orders", of_stock.is_what_was_received_less_what_was_sold),
    ("stock reserved = lines held", of_stock.is_reserved_as_much_as_is_held),
    ("no reservation outlives its order", of_stock.reservations_do_not_outlive_their_order),
    ("committed if and only if confirmed", of_stock.is_committed_for_confirmed_orders_only),
    ("money per order: processor = payments = due", of_money.agrees_for_every_order),
    ("money in sum: processor = payments = due", of_money.agrees_in_sum),
    ("charged at most once an order", of_money.is_charged_once_at_most),
    ("refunds add up", of_money.is_given_back_as_recorded),
    ("every message of an outbox is published", of_messages.are_published),
    ("what was published is on the stream", of_messages.are_on_the_stream),
    ("what is on the stream came from an outbox", of_messages.come_from_their_producers_outbox),
    ("messages of an aggregate are in order", of_messages.are_in_the_order_of_their_aggregate),
    ("what was acknowledged took effect once", of_messages.are_handled_by_everyone_who_listens),
    ("what took effect was on the stream", of_messages.are_handled_only_if_published),
    ("no consumer has anything left to do", of_messages.wait_for_nobody),
    ("no dead letters", of_messages.are_not_dead),
    ("orders has heard catalog's newest prices", of_prices.are_heard_as_catalog_says),
    ("catalog counts its versions without a gap", of_prices.have_versions_without_gap),
)
# These only where an old shop was copied; elsewhere nothing can be said of them.
OVER_BOTH_SHOPS: tuple[tuple[str, Check], ...] = (
    ("old shop: has each order of the new one, alike", of_both_shops.have_each_order_of_the_new_one),
    ("old shop: each of its orders is in the new one", of_both_shops.have_each_order_of_the_old_one),
    ("old shop: the same stock as in inventory", of_both_shops.have_the_same_on_their_shelves),
    ("old shop: an order is paid in one of the two", of_both_shops.take_money_in_one_place),
)


@dataclass(frozen=True)
class Finding:
    """What came of one invariant; one that is not applicable holds as little as it is violated."""

    invariant: str
    checked: int
    violations: Sequence[str]
    applicable: bool = True


def examine(shop: Snapshot) -> list[Finding]:
    """Check all of them; one that is violated keeps no other from being checked."""
    findings = []
    for name, check in (*INVARIANTS, *OVER_BOTH_SHOPS) if shop.old.joined else INVARIANTS:
        seen = list(check(shop))
        findings.append(Finding(name, len(seen), [text for text in seen if text is not None]))
    if not shop.old.joined:
        findings += [Finding(name, 0, [], applicable=False) for name, _ in OVER_BOTH_SHOPS]
    return findings
