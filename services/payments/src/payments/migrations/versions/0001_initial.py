"""Payments, and the tables of the chassis."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    time = sa.DateTime(timezone=True)
    op.create_table(
        "payment",
        sa.Column("order_id", sa.Uuid, primary_key=True),
        sa.Column("customer_id", sa.Uuid),
        sa.Column("amount", sa.BigInteger, nullable=False),
        sa.Column("currency", sa.Text, nullable=False),
        sa.Column("card_token", sa.Text),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("charge_id", sa.Uuid, unique=True),
        sa.Column("reason", sa.Text),
        sa.Column("submitted_at", time),
        sa.Column("created_at", time, nullable=False),
        sa.Column("updated_at", time, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.CheckConstraint(
            "state IN ('open', 'charged', 'declined', 'voided', 'refunding', 'refunded')", name="payment_state"
        ),
        sa.CheckConstraint("amount >= 0", name="payment_amount_not_negative"),
        sa.CheckConstraint(
            "(state IN ('charged', 'refunding', 'refunded')) = (charge_id IS NOT NULL)", name="payment_charge_known"
        ),
        sa.CheckConstraint("state = 'open' OR card_token IS NULL", name="payment_card_forgotten"),
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


def downgrade() -> None:
    for table in ("inbox", "outbox", "payment"):
        op.drop_table(table)
