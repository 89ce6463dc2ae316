"""The rows of the tiny shop: one order confirmed, one whose card was declined, one cancelled after it was paid.

The old shop, where there is one, has taken two orders: `bought` was paid, and the card of `refused` was not good.
"""

from collections.abc import Mapping, Sequence
from uuid import UUID

CONFIRMED, DECLINED, REFUNDED = UUID(int=0xA1), UUID(int=0xA2), UUID(int=0xA3)
BOUGHT, REFUSED = UUID(int=0xA4), UUID(int=0xA5)
NAMES: Mapping[str, str] = {
    "confirmed": str(CONFIRMED),
    "declined": str(DECLINED),
    "refunded": str(REFUNDED),
    "bought": str(BOUGHT),
    "refused": str(REFUSED),
    "customer": str(UUID(int=0xC0)),
    "charge": str(UUID(int=0xB1)),
    "refunded_charge": str(UUID(int=0xB3)),
    "nobody": str(UUID(int=0xFF)),
    "emma": "9799001000010",
    "utopia": "9799001000027",
}
"""What stands in braces in the statements."""

ROWS: Mapping[str, Sequence[str]] = {
    "catalog": (
        "TRUNCATE books, outbox, inbox RESTART IDENTITY",
        """INSERT INTO books (isbn, title, author, year, price_amount, currency, version, title_key, author_key) VALUES
            ('{emma}', 'Emma', 'Jane Austen', 1815, 1000, 'EUR', 2, 'emma', 'jane austen'),
            ('{utopia}', 'Utopia', 'Thomas More', 1516, 500, 'EUR', 1, 'utopia', 'thomas more')""",
    ),
    "inventory": (
        "TRUNCATE stock, reservation, reservation_line, outbox, inbox RESTART IDENTITY",
        "INSERT INTO stock (isbn, received, on_hand, reserved) VALUES ('{emma}', 10, 8, 0), ('{utopia}', 5, 5, 0)",
        """INSERT INTO reservation (order_id, state, version) VALUES
            ('{confirmed}', 'committed', 2), ('{declined}', 'released', 2), ('{refunded}', 'released', 1)""",
        """INSERT INTO reservation_line (order_id, isbn, quantity) VALUES
            ('{confirmed}', '{emma}', 2), ('{declined}', '{emma}', 1)""",
    ),
    "orders": (
        "TRUNCATE orders, saga, order_history, idempotency_key, heard_price, outbox, inbox RESTART IDENTITY",
        """INSERT INTO orders (id, customer_id, state, card_token, lines, total_amount, currency, price_source,
                               placed_at, updated_at, version, number)
            SELECT id::uuid, '{customer}', state, 'tok_ok',
                   jsonb_build_array(jsonb_build_object('isbn', isbn, 'title', 'T', 'quantity', quantity,
                                                        'amount', amount, 'currency', 'EUR')),
                   quantity * amount, 'EUR', 'catalog', now(), now(), version, number
            FROM (VALUES ('{confirmed}', 'confirmed', '{emma}', 2, 1000, 2, 1000001),
                         ('{declined}', 'cancelled', '{emma}', 1, 1000, 3, 1000002),
                         ('{refunded}', 'cancelled', '{utopia}', 1, 500, 3, 1000003))
                 AS placed (id, state, isbn, quantity, amount, version, number)""",
        "INSERT INTO saga (order_id, step, direction, attempt, due_at) SELECT id, 2, 'ended', 1, now() FROM orders",
        """INSERT INTO order_history (order_id, event, at) SELECT id::uuid, unnest(events), now() FROM (VALUES
            ('{confirmed}', ARRAY['placed', 'stock-reserved', 'card-charged', 'stock-committed', 'confirmed']),
            ('{declined}', ARRAY['placed', 'stock-reserved', 'card-declined', 'cancelling', 'stock-released',
                                 'cancelled']),
            ('{refunded}', ARRAY['placed', 'stock-reserved', 'cancelling', 'card-refunded', 'stock-released',
                                 'cancelled'])) AS stories (id, events)""",
        """INSERT INTO idempotency_key (caller, key, fingerprint, status, location, body)
            SELECT customer_id, 'key of ' || id, '', 202, '/api/orders/' || id, '' FROM orders""",
        """INSERT INTO heard_price (isbn, title, amount, currency, version) VALUES
            ('{emma}', 'Emma', 1000, 'EUR', 2), ('{utopia}', 'Utopia', 500, 'EUR', 1)""",
    ),
    "payments": (
        "TRUNCATE payment, outbox, inbox RESTART IDENTITY",
        """INSERT INTO payment (order_id, amount, currency, state, charge_id, created_at, updated_at, version) VALUES
            ('{confirmed}', 2000, 'EUR', 'charged', '{charge}', now(), now(), 2),
            ('{declined}', 1000, 'EUR', 'declined', NULL, now(), now(), 2),
            ('{refunded}', 500, 'EUR', 'refunded', '{refunded_charge}', now(), now(), 4)""",
    ),
    "psp": (
        "TRUNCATE charge, refund",
        """INSERT INTO charge (id, key, amount, currency, card_token, state, refunded, created_at) VALUES
            ('{charge}', '{confirmed}', 2000, 'EUR', 'tok_ok', 'charged', 0, now()),
            (gen_random_uuid(), '{declined}', 1000, 'EUR', 'tok_declined', 'declined', 0, now()),
            ('{refunded_charge}', '{refunded}', 500, 'EUR', 'tok_ok', 'charged', 500, now())""",
        """INSERT INTO refund (id, charge_id, key, amount, created_at) VALUES
            (gen_random_uuid(), '{refunded_charge}', 'refund-{refunded}', 500, now())""",
    ),
}

# What is there besides when an old shop was replaced.
OLD_ROWS: Mapping[str, Sequence[str]] = {
    "inventory": (
        "UPDATE stock SET on_hand = on_hand - 3 WHERE isbn = '{emma}'",
        "INSERT INTO reservation (order_id, state, version) VALUES ('{bought}', 'committed', 1)",
        "INSERT INTO reservation_line (order_id, isbn, quantity) VALUES ('{bought}', '{emma}', 3)",
    ),
    "orders": (
        """INSERT INTO orders (id, customer_id, state, lines, total_amount, currency, price_source,
                               placed_at, updated_at, version, number, origin, legacy_version)
            SELECT id::uuid, '{customer}', state,
                   jsonb_build_array(jsonb_build_object('isbn', isbn, 'title', 'T', 'quantity', quantity,
                                                        'amount', amount, 'currency', 'EUR')),
                   quantity * amount, 'EUR', 'legacy', now(), now(), 1, number, 'legacy', 5
            FROM (VALUES ('{bought}', 'confirmed', '{emma}', 3, 1000, 7),
                         ('{refused}', 'cancelled', '{utopia}', 2, 500, 8))
                 AS placed (id, state, isbn, quantity, amount, number)""",
        """INSERT INTO saga (order_id, step, direction, attempt, due_at)
            SELECT id, 0, 'ended', 1, now() FROM orders WHERE origin = 'legacy'""",
        """INSERT INTO order_history (order_id, event, at)
            SELECT id, 'imported', now() FROM orders WHERE origin = 'legacy'""",
    ),
    "psp": (
        """INSERT INTO charge (id, key, amount, currency, card_token, state, refunded, created_at) VALUES
            (gen_random_uuid(), 'legacy-7', 3000, 'EUR', 'tok_ok', 'charged', 0, now()),
            (gen_random_uuid(), 'legacy-8', 1000, 'EUR', 'tok_declined', 'declined', 0, now())""",
    ),
    "legacy": (
        "TRUNCATE products, customers, orders, order_items, charges, bridge.change, bridge.snapshot, bridge.inbox",
        """INSERT INTO products (id, isbn, title, author, year, price, stock) VALUES
            (1, '{emma}', 'Emma', 'Jane Austen', 1815, 10.00, 5),
            (2, '{utopia}', 'Utopia', 'Thomas More', 1516, 5.00, 5)""",
        """INSERT INTO customers (id, email, name, salt, password, created)
            VALUES (3, 'ada@example.org', 'Ada', 'salt', 'hash', now())""",
        """INSERT INTO orders (id, customer_id, status, total, created) VALUES
            (7, 3, 'P', 30.00, now()), (8, 3, 'X', 10.00, now()),
            (1000001, 3, 'P', 20.00, now()), (1000002, 3, 'X', 10.00, now()), (1000003, 3, 'X', 5.00, now())""",
        """INSERT INTO order_items (order_id, line, product_id, qty, price) VALUES
            (7, 1, 1, 3, 10.00), (8, 1, 2, 2, 5.00),
            (1000001, 1, 1, 2, 10.00), (1000002, 1, 1, 1, 10.00), (1000003, 1, 2, 1, 5.00)""",
        "INSERT INTO charges (order_id, amount, reference, created) VALUES (7, 30.00, 'r', now())",
        "INSERT INTO bridge.change (tbl, op) VALUES ('orders', 'INSERT')",
        "UPDATE bridge.position SET id = (SELECT max(id) FROM bridge.change)",
        """INSERT INTO bridge.snapshot (tbl, done)
            VALUES ('customers', true), ('products', true), ('orders', true)""",
    ),
}

MESSAGES: Sequence[tuple[str, str, int]] = (
    ("catalog.book-changed.v1", NAMES["emma"], 1),
    ("catalog.book-changed.v1", NAMES["emma"], 2),
    ("catalog.book-changed.v1", NAMES["utopia"], 1),
    ("orders.reserve-stock.v1", str(CONFIRMED), 1),
    ("inventory.stock-reserved.v1", str(CONFIRMED), 1),
    ("orders.charge-card.v1", str(CONFIRMED), 1),
    ("payments.card-charged.v1", str(CONFIRMED), 2),
    ("orders.order-confirmed.v1", str(CONFIRMED), 2),
)
"""Name, aggregate, version, in the order of their writing."""

OLD_MESSAGES: Sequence[tuple[str, str, int]] = (
    ("bridge.legacy-customer-changed.v1", NAMES["customer"], 2),
    ("bridge.legacy-book-changed.v1", NAMES["emma"], 3),
    ("bridge.legacy-order-changed.v1", str(BOUGHT), 5),
)

LISTENERS: Mapping[str, Sequence[str]] = {
    "orders": (
        "inventory.stock-reserved.v1",
        "payments.card-charged.v1",
        "catalog.book-changed.v1",
        "bridge.legacy-order-changed.v1",
    ),
    "inventory": ("orders.reserve-stock.v1", "bridge.legacy-order-changed.v1"),
    "payments": ("orders.charge-card.v1",),
    "catalog": ("bridge.legacy-book-changed.v1",),
}
OLD_LISTENERS: Mapping[str, Sequence[str]] = {
    "bridge": ("orders.order-confirmed.v1", "catalog.book-changed.v1"),
    "identity": ("bridge.legacy-customer-changed.v1",),
}
