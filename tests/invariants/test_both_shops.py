"""Two stores that are to be held against each other: one violation at a time is put into either, and is found."""

import pytest

from tests.invariants.snapshot import settle
from tests.invariants.table import OVER_BOTH_SHOPS
from tests.invariants.tiny_shop import TinyShop

HAS_OURS, IS_IN_OURS, STOCK, PAID = (
    "old shop: has each order of the new one, alike",
    "old shop: each of its orders is in the new one",
    "old shop: the same stock as in inventory",
    "old shop: an order is paid in one of the two",
)
PER_ORDER, IN_SUM, ONCE = (
    "money per order: processor = payments = due",
    "money in sum: processor = payments = due",
    "charged at most once an order",
)
FORGET = "DELETE FROM saga WHERE order_id = '{bought}'; DELETE FROM orders WHERE id = '{bought}'"

# Invariant, database, what is done to it.
DAMAGE = [
    (HAS_OURS, "legacy", "DELETE FROM orders WHERE id = 1000001"),
    (HAS_OURS, "legacy", "UPDATE orders SET status = 'X' WHERE id = 1000001"),
    (HAS_OURS, "legacy", "UPDATE orders SET total = 20.01 WHERE id = 1000001"),
    (HAS_OURS, "legacy", "UPDATE order_items SET qty = 3 WHERE order_id = 1000001"),
    (HAS_OURS, "legacy", "UPDATE order_items SET price = 9.99 WHERE order_id = 1000003"),
    (HAS_OURS, "legacy", "DELETE FROM order_items WHERE order_id = 1000002"),
    (HAS_OURS, "legacy", "INSERT INTO order_items VALUES (1000001, 2, 2, 1, 5.00)"),
    (HAS_OURS, "orders", "UPDATE orders SET state = 'cancelled' WHERE id = '{bought}'"),
    (IS_IN_OURS, "orders", FORGET),
    (IS_IN_OURS, "orders", "UPDATE orders SET state = 'pending' WHERE id = '{confirmed}'"),
    (IS_IN_OURS, "orders", "UPDATE orders SET number = 7 WHERE id = '{refused}'"),
    (IS_IN_OURS, "legacy", "INSERT INTO orders VALUES (9, 3, 'P', 1.00, now())"),
    (IS_IN_OURS, "legacy", "INSERT INTO orders VALUES (1000004, 3, 'P', 1.00, now())"),
    (STOCK, "legacy", "UPDATE products SET stock = 6 WHERE id = 1"),
    (STOCK, "inventory", "UPDATE stock SET oversold = 1 WHERE isbn = '{utopia}'"),
    (PAID, "legacy", "INSERT INTO charges (order_id, amount, reference, created) VALUES (1000001, 20.00, 'r', now())"),
    (PAID, "legacy", "DELETE FROM charges"),
    (PAID, "legacy", "UPDATE charges SET order_id = 8"),
    (PAID, "legacy", "INSERT INTO charges (order_id, amount, reference, created) VALUES (9, 1.00, 'r', now())"),
    (PAID, "payments", "UPDATE payment SET state = 'refunded' WHERE order_id = '{confirmed}'"),
    (
        PAID,
        "payments",
        "INSERT INTO payment (order_id, amount, currency, state, created_at, updated_at, version)"
        " VALUES ('{bought}', 3000, 'EUR', 'charged', now(), now(), 2)",
    ),
    (PER_ORDER, "legacy", "UPDATE charges SET amount = 29.99"),
    (PER_ORDER, "psp", "UPDATE charge SET amount = 2999 WHERE key = 'legacy-7'"),
    (IN_SUM, "psp", "DELETE FROM charge WHERE key = 'legacy-7'"),
    (ONCE, "psp", "UPDATE charge SET key = '7' WHERE key = 'legacy-7'"),
    (
        ONCE,
        "psp",
        "INSERT INTO charge SELECT gen_random_uuid(), 'legacy-9', 1, 'EUR', 'tok_ok', 'charged', NULL, 0, now()",
    ),
    ("each order's history is one story", "orders", "DELETE FROM order_history WHERE order_id = '{refused}'"),
    ("each order's history is one story", "orders", "UPDATE orders SET version = 2 WHERE id = '{refused}'"),
    ("order, version and saga agree", "orders", "UPDATE saga SET direction = 'forward' WHERE order_id = '{bought}'"),
    ("each order has a number of its own", "orders", "UPDATE orders SET number = 1000009 WHERE id = '{bought}'"),
    ("stock on hand = received − confirmed orders", "orders", "UPDATE orders SET state = 'confirmed'"),
    ("committed if and only if confirmed", "inventory", "DELETE FROM reservation WHERE order_id = '{bought}'"),
    ("what was acknowledged took effect once", "legacy", "DELETE FROM bridge.inbox"),
    ("what was acknowledged took effect once", "catalog", "DELETE FROM inbox"),
    ("what took effect was on the stream", "legacy", "INSERT INTO bridge.inbox VALUES (gen_random_uuid())"),
]
NOT_COPIED = ("DELETE FROM bridge.snapshot", "UPDATE bridge.snapshot SET done = false WHERE tbl = 'orders'")


async def test_stores_that_agree_violate_nothing(both: TinyShop) -> None:
    findings = await both.findings()
    assert [finding for finding in findings if finding.violations or not finding.applicable] == []
    assert {finding.invariant: finding.checked for finding in findings[-len(OVER_BOTH_SHOPS) :]} == {
        HAS_OURS: 5,
        IS_IN_OURS: 5,
        STOCK: 2,
        PAID: 5,
    }


@pytest.mark.parametrize(("invariant", "database", "damage"), DAMAGE)
async def test_damage_to_either_store_is_found(both: TinyShop, invariant: str, database: str, damage: str) -> None:
    await both.execute(database, damage)
    assert invariant in await both.violated()


@pytest.mark.parametrize("reason", NOT_COPIED)
async def test_before_all_is_copied_nothing_is_said_of_what_is_missing(both: TinyShop, reason: str) -> None:
    await both.execute("legacy", reason, "DELETE FROM orders WHERE id = 1000001")
    silent = {finding.invariant for finding in await both.findings() if not finding.applicable}
    assert silent == {invariant for invariant, _ in OVER_BOTH_SHOPS}
    assert await both.violated() == {}


async def test_books_that_only_one_shop_knows_or_began_in_the_new_one_are_not_compared(both: TinyShop) -> None:
    await both.execute(
        "legacy",
        "INSERT INTO products VALUES (3, '9799001000034', 'Only here', 'A', 2000, 1.00, 4)",
        "UPDATE products SET id = 1000001, stock = 0 WHERE isbn = '{utopia}'",
        "UPDATE order_items SET product_id = 1000001 WHERE product_id = 2",
    )
    assert await both.violated() == {}


async def test_the_old_shops_stock_below_nothing_is_what_inventory_has_oversold(both: TinyShop) -> None:
    await both.execute("legacy", "UPDATE products SET stock = -1 WHERE isbn = '{emma}'")
    await both.execute("inventory", "UPDATE stock SET received = 4, on_hand = 0, oversold = 1 WHERE isbn = '{emma}'")
    assert await both.violated() == {}


async def test_a_change_that_is_not_published_is_waited_for(both: TinyShop) -> None:
    assert await settle(both.access, 5, lambda _: None) == ""
    await both.execute("legacy", "INSERT INTO bridge.change (tbl, op) VALUES ('orders', 'INSERT')")
    await both.execute("legacy", "UPDATE bridge.snapshot SET done = false WHERE tbl = 'orders'")
    assert await settle(both.access, 0, lambda _: None) == "1 changes of the old shop, 1 tables to copy"


async def test_an_old_shop_without_a_bridge_must_balance_by_itself(both: TinyShop) -> None:
    await both.execute("legacy", "DROP SCHEMA bridge CASCADE")
    silent = {finding.invariant for finding in await both.findings() if not finding.applicable}
    assert silent == {invariant for invariant, _ in OVER_BOTH_SHOPS}
    await both.execute("legacy", "UPDATE charges SET amount = 1.00")
    assert {PER_ORDER, IN_SUM, ONCE} <= set(await both.violated())


def test_each_invariant_over_both_shops_has_a_test_that_violates_it() -> None:
    assert {invariant for invariant, _, _ in DAMAGE} >= {invariant for invariant, _ in OVER_BOTH_SHOPS}
