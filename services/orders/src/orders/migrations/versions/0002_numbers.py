"""Orders get numbers, and remember which shop took them.

Only added to, with defaults in the table: a replica of the release before goes on writing while this one starts.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.execute(sa.schema.CreateSequence(sa.Sequence("order_number", start=1_000_001)))
    op.add_column("orders", sa.Column("number", sa.BigInteger))
    # In the order in which they were placed (ids are sorted by time), which the table is not kept in.
    op.execute("""
        UPDATE orders SET number = numbered.number
        FROM (SELECT id, nextval('order_number') AS number FROM (SELECT id FROM orders ORDER BY id) AS old) AS numbered
        WHERE orders.id = numbered.id
    """)
    op.alter_column("orders", "number", nullable=False, server_default=sa.text("nextval('order_number')"))
    op.create_unique_constraint("orders_number", "orders", ["number"])
    op.add_column("orders", sa.Column("origin", sa.Text, nullable=False, server_default="shop"))
    op.add_column("orders", sa.Column("legacy_version", sa.BigInteger, nullable=False, server_default="0"))
    op.create_check_constraint("orders_origin", "orders", "origin IN ('shop', 'legacy')")


def downgrade() -> None:
    op.drop_column("orders", "legacy_version")
    op.drop_column("orders", "origin")
    op.drop_column("orders", "number")
    op.execute(sa.schema.DropSequence(sa.Sequence("order_number")))
