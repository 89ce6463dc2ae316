"""Orders, their saga, their history, the prices heard, and the tables of the chassis."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0001"
down_revision = None


def upgrade() -> None:
    time = sa.DateTime(timezone=True)
    op.create_table(
        "orders",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("customer_id", sa.Uuid, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("reason", sa.Text),
        sa.Column("card_token", sa.Text),
        sa.Column("lines", JSONB, nullable=False),
        sa.Column("total_amount", sa.BigInteger, nullable=False),
        sa.Column("currency", sa.Text, nullable=False),
        sa.Column("price_source", sa.Text, nullable=False),
        sa.Column("placed_at", time, nullable=False),
        sa.Column("updated_at", time, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.CheckConstraint("state IN ('pending', 'confirmed', 'cancelling', 'cancelled')", name="orders_state"),
        sa.CheckConstraint("total_amount > 0", name="orders_total_positive"),
        sa.CheckConstraint("card_token IS NULL OR state = 'pending'", name="orders_card_forgotten"),
    )
    op.create_index("orders_of_customer", "orders", ["customer_id", "id"])
    op.create_table(
        "saga",
        sa.Column("order_id", sa.Uuid, sa.ForeignKey("orders.id"), primary_key=True),
        sa.Column("step", sa.SmallInteger, nullable=False),
        sa.Column("direction", sa.Text, nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("due_at", time, nullable=False),
        sa.Column("saga_reason", sa.Text),
        sa.CheckConstraint("direction IN ('forward', 'backward', 'ended')", name="saga_direction"),
    )
    op.create_index("saga_due", "saga", ["due_at"], postgresql_where=sa.text("direction <> 'ended'"))
    op.create_table(
        "order_history",
        sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
        sa.Column("order_id", sa.Uuid, sa.ForeignKey("orders.id"), nullable=False, index=True),
        sa.Column("event", sa.Text, nullable=False),
        sa.Column("at", time, nullable=False),
    )
    op.create_table(
        "heard_price",
        sa.Column("isbn", sa.Text, primary_key=True),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("amount", sa.BigInteger, nullable=False),
        sa.Column("currency", sa.Text, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
    )
    op.create_table(
        "outbox",
        sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
        sa.Column("message_id", sa.Uuid, nullable=False, unique=True),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("aggregate", sa.Text, nullable=False),
        sa.Column("payload", sa.LargeBinary, nullable=False),
        sa.Column("created_at", time, nullable=False, server_default=sa.func.now()),
        sa.Column("published_at", time),
    )
    op.create_index("outbox_unpublished", "outbox", ["id"], postgresql_where=sa.text("published_at IS NULL"))
    op.create_table(
        "inbox",
        sa.Column("message_id", sa.Uuid, primary_key=True),
        sa.Column("handled_at", time, nullable=False, server_default=sa.func.now(), index=True),
    )
    op.create_table(
        "idempotency_key",
        sa.Column("caller", sa.Text, primary_key=True),
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("fingerprint", sa.LargeBinary, nullable=False),
        sa.Column("claimed_at", time, nullable=False, server_default=sa.func.now(), index=True),
        sa.Column("status", sa.SmallInteger),
        sa.Column("location", sa.Text),
        sa.Column("body", sa.LargeBinary),
    )


def downgrade() -> None:
    for table in ("idempotency_key", "inbox", "outbox", "heard_price", "order_history", "saga", "orders"):
        op.drop_table(table)
