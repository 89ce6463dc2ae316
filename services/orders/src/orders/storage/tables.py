"""The tables of orders."""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from chassis.idempotency import idempotency_table
from chassis.inbox import inbox_table
from chassis.outbox import outbox_table

metadata = sa.MetaData()
_time = sa.DateTime(timezone=True)
# The old shop's numbers stay below: an order keeps its number on both sides.
FIRST_NUMBER = 1_000_001
order_number = sa.Sequence("order_number", start=FIRST_NUMBER, metadata=metadata)

orders = sa.Table(
    "orders",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("customer_id", sa.Uuid, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("reason", sa.Text),
    sa.Column("card_token", sa.Text),
    # Lines are written once and read whole, never searched: one row is one insert and one read.
    sa.Column("lines", JSONB, nullable=False),
    sa.Column("total_amount", sa.BigInteger, nullable=False),
    sa.Column("currency", sa.Text, nullable=False),
    sa.Column("price_source", sa.Text, nullable=False),
    sa.Column("placed_at", _time, nullable=False),
    sa.Column("updated_at", _time, nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    # Given by the table, not by the code: a replica of the release before knows no numbers, and its orders get theirs.
    sa.Column("number", sa.BigInteger, nullable=False, server_default=order_number.next_value()),
    sa.Column("origin", sa.Text, nullable=False, server_default="shop"),
    sa.Column("legacy_version", sa.BigInteger, nullable=False, server_default="0"),
    sa.CheckConstraint("state IN ('pending', 'confirmed', 'cancelling', 'cancelled')", name="orders_state"),
    sa.CheckConstraint("total_amount > 0", name="orders_total_positive"),
    sa.CheckConstraint("card_token IS NULL OR state = 'pending'", name="orders_card_forgotten"),
    sa.CheckConstraint("origin IN ('shop', 'legacy')", name="orders_origin"),
    sa.UniqueConstraint("number", name="orders_number"),
    sa.Index("orders_of_customer", "customer_id", "id"),
)
saga = sa.Table(
    "saga",
    metadata,
    sa.Column("order_id", sa.Uuid, sa.ForeignKey("orders.id"), primary_key=True),
    sa.Column("step", sa.SmallInteger, nullable=False),
    sa.Column("direction", sa.Text, nullable=False),
    sa.Column("attempt", sa.Integer, nullable=False),
    sa.Column("due_at", _time, nullable=False),
    sa.Column("saga_reason", sa.Text),
    sa.CheckConstraint("direction IN ('forward', 'backward', 'ended')", name="saga_direction"),
)
sa.Index("saga_due", saga.c.due_at, postgresql_where=saga.c.direction != "ended")
history = sa.Table(
    "order_history",
    metadata,
    sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
    sa.Column("order_id", sa.Uuid, sa.ForeignKey("orders.id"), nullable=False, index=True),
    sa.Column("event", sa.Text, nullable=False),
    sa.Column("at", _time, nullable=False),
)
heard_price = sa.Table(
    "heard_price",
    metadata,
    sa.Column("isbn", sa.Text, primary_key=True),
    sa.Column("title", sa.Text, nullable=False),
    sa.Column("amount", sa.BigInteger, nullable=False),
    sa.Column("currency", sa.Text, nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
)
outbox = outbox_table(metadata)
inbox = inbox_table(metadata)
idempotency_key = idempotency_table(metadata)
