"""The program can fail: one violation at a time is put into a shop whose books balance, and is found."""

from typing import Any
from uuid import uuid4

import pytest

from tests.invariants.table import INVARIANTS, OVER_BOTH_SHOPS
from tests.invariants.tiny_shop import TinyShop

# Invariant, database, what is done to it.
IN_DATABASES = [
    ("every accepted order has ended", "orders", "UPDATE orders SET state = 'pending' WHERE id = '{confirmed}'"),
    (
        "order, version and saga agree",
        "orders",
        "UPDATE saga SET direction = 'forward' WHERE order_id = '{confirmed}'",
    ),
    ("order, version and saga agree", "orders", "DELETE FROM saga WHERE order_id = '{declined}'"),
    ("order, version and saga agree", "orders", "UPDATE orders SET version = 9 WHERE id = '{declined}'"),
    ("each order's history is one story", "orders", "DELETE FROM order_history WHERE event = 'card-charged'"),
    ("each order's history is one story", "orders", "DELETE FROM order_history WHERE order_id = '{declined}'"),
    ("each order's history is one story", "orders", "UPDATE order_history SET at = at - id * interval '1 s'"),
    ("each order's history is one story", "orders", "UPDATE order_history SET event = 'x' WHERE event = 'cancelled'"),
    (
        "each order's history is one story",
        "orders",
        "INSERT INTO order_history (order_id, event, at) VALUES ('{nobody}', 'placed', now())",
    ),
    ("an order costs the sum of its lines", "orders", "UPDATE orders SET total_amount = total_amount + 1"),
    (
        "one order for each customer and key",
        "orders",
        "UPDATE idempotency_key SET location = '/api/orders/{confirmed}'",
    ),
    ("one order for each customer and key", "orders", "DELETE FROM idempotency_key WHERE key = 'key of {confirmed}'"),
    ("one order for each customer and key", "orders", "UPDATE idempotency_key SET caller = 'somebody'"),
    ("each order has a number of its own", "orders", "UPDATE orders SET number = 1000001"),
    ("each order has a number of its own", "orders", "UPDATE orders SET number = 7 WHERE id = '{confirmed}'"),
    ("stock is never negative", "inventory", "UPDATE stock SET oversold = -1"),
    ("stock is never negative", "inventory", "UPDATE stock SET on_hand = -1 WHERE isbn = '{emma}'"),
    ("stock is never negative", "inventory", "UPDATE stock SET reserved = on_hand + 1 WHERE isbn = '{emma}'"),
    ("stock on hand = received − confirmed orders", "inventory", "UPDATE stock SET on_hand = 7 WHERE isbn = '{emma}'"),
    ("stock on hand = received − confirmed orders", "inventory", "DELETE FROM stock WHERE isbn = '{emma}'"),
    ("stock reserved = lines held", "inventory", "UPDATE stock SET reserved = 1 WHERE isbn = '{utopia}'"),
    (
        "no reservation outlives its order",
        "inventory",
        "UPDATE reservation SET state = 'held' WHERE order_id = '{declined}'",
    ),
    ("no reservation outlives its order", "orders", "DELETE FROM orders WHERE id = '{refunded}'"),
    (
        "committed if and only if confirmed",
        "inventory",
        "UPDATE reservation SET state = 'committed' WHERE order_id = '{declined}'",
    ),
    (
        "committed if and only if confirmed",
        "inventory",
        "UPDATE reservation SET state = 'released' WHERE order_id = '{confirmed}'",
    ),
    (
        "committed if and only if confirmed",
        "inventory",
        "UPDATE reservation_line SET quantity = 3 WHERE order_id = '{confirmed}'",
    ),
    ("money per order: processor = payments = due", "psp", "UPDATE charge SET amount = 1 WHERE id = '{charge}'"),
    ("money per order: processor = payments = due", "payments", "UPDATE payment SET state = 'charged'"),
    ("money per order: processor = payments = due", "psp", "UPDATE charge SET currency = 'USD' WHERE id = '{charge}'"),
    ("money in sum: processor = payments = due", "psp", "DELETE FROM refund"),
    (
        "charged at most once an order",
        "psp",
        "INSERT INTO charge (id, key, amount, currency, card_token, state, refunded, created_at)"
        " VALUES ('{nobody}', '{confirmed}', 2000, 'EUR', 'tok_ok', 'charged', 0, now())",
    ),
    ("charged at most once an order", "psp", "UPDATE charge SET key = 'unknown' WHERE id = '{charge}'"),
    ("charged at most once an order", "payments", "UPDATE payment SET charge_id = '{nobody}' WHERE amount = 2000"),
    ("refunds add up", "psp", "UPDATE charge SET refunded = 400 WHERE refunded = 500"),
    ("every message of an outbox is published", "orders", "UPDATE outbox SET published_at = NULL WHERE id = 1"),
    (
        "what was published is on the stream",
        "inventory",
        "INSERT INTO outbox (message_id, type, aggregate, payload, published_at)"
        " VALUES (gen_random_uuid(), 'x', 'y', convert_to('{{\"aggregateversion\": 1}}', 'UTF8'), now())",
    ),
    ("what is on the stream came from an outbox", "orders", "DELETE FROM outbox"),
    ("messages of an aggregate are in order", "orders", "UPDATE outbox SET id = -id"),
    ("what was acknowledged took effect once", "payments", "DELETE FROM inbox"),
    ("what took effect was on the stream", "inventory", "INSERT INTO inbox (message_id) VALUES (gen_random_uuid())"),
    ("orders has heard catalog's newest prices", "orders", "UPDATE heard_price SET version = 1, amount = 999"),
    ("orders has heard catalog's newest prices", "orders", "DELETE FROM heard_price WHERE isbn = '{utopia}'"),
    ("catalog counts its versions without a gap", "catalog", "UPDATE books SET version = 3 WHERE isbn = '{emma}'"),
    ("catalog counts its versions without a gap", "catalog", "DELETE FROM books WHERE isbn = '{utopia}'"),
]
ON_THE_STREAM = ("what is on the stream came from an outbox", "no consumer has anything left to do", "no dead letters")


async def test_a_shop_whose_books_balance_violates_nothing(shop: TinyShop) -> None:
    assert await shop.violated() == {}


@pytest.mark.parametrize(("invariant", "database", "damage"), IN_DATABASES)
async def test_damage_to_a_database_is_found(shop: TinyShop, invariant: str, database: str, damage: str) -> None:
    await shop.execute(database, damage)
    assert invariant in await shop.violated()


async def test_a_message_that_was_in_no_outbox_is_found_and_so_is_that_nobody_has_handled_it(shop: TinyShop) -> None:
    async def publish(jetstream: Any) -> None:
        subject = f"{shop.access.namespace}.orders.charge-card.v1"
        await jetstream.publish(subject, b"{}", headers={"Nats-Msg-Id": str(uuid4())})

    await shop.jetstream(publish)
    violated = await shop.violated()
    assert set(violated) == {ON_THE_STREAM[0], ON_THE_STREAM[1]}
    assert "payments: 1 pending" in violated[ON_THE_STREAM[1]][0]


async def test_a_message_that_was_handled_and_not_acknowledged_is_found(shop: TinyShop) -> None:
    async def fetch(jetstream: Any) -> None:
        subject = f"{shop.access.namespace}.orders.charge-card.v1"
        await jetstream.publish(subject, b"{}", headers={"Nats-Msg-Id": str(uuid4())})
        listener = await jetstream.pull_subscribe_bind(consumer="payments", stream=shop.access.stream)
        await listener.fetch(1)

    await shop.jetstream(fetch)
    assert "payments: 0 pending, 1 unacknowledged" in (await shop.violated())[ON_THE_STREAM[1]][0]


async def test_a_service_whose_consumer_is_gone_is_found(shop: TinyShop) -> None:
    await shop.jetstream(lambda jetstream: jetstream.delete_consumer(shop.access.stream, "inventory"))
    assert await shop.violated() == {ON_THE_STREAM[1]: ["inventory has no consumer on the stream"]}


async def test_a_dead_letter_is_found_and_shown_with_its_error(shop: TinyShop) -> None:
    headers = {
        "Dead-Consumer": "payments",
        "Dead-Subject": "x.orders.charge-card.v1",
        "Dead-Error": "KeyError: 'amount'",
    }

    async def bury(jetstream: Any) -> None:
        subject = f"dead.{shop.access.namespace}.payments.orders.charge-card.v1"
        await jetstream.publish(subject, b"{}", headers=headers)

    await shop.jetstream(bury)
    expected = "payments could not handle x.orders.charge-card.v1: KeyError: 'amount'"
    assert await shop.violated() == {"no dead letters": [expected]}


async def test_a_replayed_dead_letter_counts_under_its_own_id(shop: TinyShop) -> None:
    async def replay(jetstream: Any) -> None:
        raw = await jetstream.get_msg(shop.access.stream, 8)
        await jetstream.publish(raw.subject, raw.data, headers={"Nats-Msg-Id": "replay-payments-1"})

    await shop.jetstream(replay)
    assert await shop.violated() == {}


def test_each_invariant_has_a_test_that_violates_it() -> None:
    tried = {invariant for invariant, _, _ in IN_DATABASES} | set(ON_THE_STREAM)
    assert tried == {invariant for invariant, _ in INVARIANTS}


async def test_where_no_shop_was_replaced_nothing_is_said_of_an_old_one(shop: TinyShop) -> None:
    silent = {finding.invariant for finding in await shop.findings() if not finding.applicable}
    assert silent == {invariant for invariant, _ in OVER_BOTH_SHOPS}
