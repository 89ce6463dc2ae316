"""The ledger: charges, refunds, and the keys that were refused once."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    time = sa.DateTime(timezone=True)
    op.create_table(
        "charge",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("key", sa.Text, nullable=False, unique=True),
        sa.Column("amount", sa.BigInteger, nullable=False),
        sa.Column("currency", sa.Text, nullable=False),
        sa.Column("card_token", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("reason", sa.Text),
        sa.Column("refunded", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("created_at", time, nullable=False),
        sa.CheckConstraint("amount > 0", name="charge_amount_positive"),
        sa.CheckConstraint("state IN ('charged', 'declined')", name="charge_state"),
        sa.CheckConstraint(
            "refunded BETWEEN 0 AND CASE state WHEN 'charged' THEN amount ELSE 0 END", name="charge_refunded_at_most"
        ),
    )
    op.create_table(
        "refund",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("charge_id", sa.Uuid, sa.ForeignKey("charge.id"), nullable=False, index=True),
        sa.Column("key", sa.Text, nullable=False, unique=True),
        sa.Column("amount", sa.BigInteger, nullable=False),
        sa.Column("created_at", time, nullable=False),
        sa.CheckConstraint("amount > 0", name="refund_amount_positive"),
    )
    op.create_table("refusal", sa.Column("key", sa.Text, primary_key=True))


def downgrade() -> None:
    for table in ("refusal", "refund", "charge"):
        op.drop_table(table)
