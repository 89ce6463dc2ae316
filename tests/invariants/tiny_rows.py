"""The rows of the tiny shop: one order confirmed, one whose card was declined, one cancelled after it was paid."""

from collections.abc import Mapping, Sequence
from uuid import UUID

CONFIRMED, DECLINED, REFUNDED = UUID(int=0xA1), UUID(int=0xA2), UUID(int=0xA3)
NAMES: Mapping[str, str] = {
    "confirmed": str(CONFIRMED),
    "declined": str(DECLINED),
    "refunded": str(REFUNDED),
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
        "TRUNCATE books, outbox RESTART IDENTITY",
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
                               placed_at, updated_at, version)
            SELECT id::uuid, '{customer}', state, 'tok_ok',
                   jsonb_build_array(jsonb_build_object('isbn', isbn, 'title', 'T', 'quantity', quantity,
                                                        'amount', amount, 'currency', 'EUR')),
                   quantity * amount, 'EUR', 'catalog', now(), now(), version
            FROM (VALUES ('{confirmed}', 'confirmed', '{emma}', 2, 1000, 2),
                         ('{declined}', 'cancelled', '{emma}', 1, 1000, 3),
                         ('{refunded}', 'cancelled', '{utopia}', 1, 500, 3))
                 AS placed (id, state, isbn, quantity, amount, version)""",
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

LISTENERS: Mapping[str, Sequence[str]] = {
    "orders": ("inventory.stock-reserved.v1", "payments.card-charged.v1", "catalog.book-changed.v1"),
    "inventory": ("orders.reserve-stock.v1",),
    "payments": ("orders.charge-card.v1",),
}
