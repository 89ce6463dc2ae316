"""Numbers of accounts, what they have followed of the old shop, and the inbox of its messages.

The code before this one goes on meanwhile: its accounts get a number by the column's default.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    numbers = sa.Sequence("account_number", start=1_000_001)
    op.execute(sa.schema.CreateSequence(numbers))
    # The default is computed for each row that there is: this writes the table anew, and no row is left without.
    op.add_column("account", sa.Column("number", sa.BigInteger, nullable=False, server_default=numbers.next_value()))
    op.create_unique_constraint("account_number_key", "account", ["number"])
    op.add_column("account", sa.Column("legacy_version", sa.BigInteger, nullable=False, server_default="0"))
    op.create_table(
        "inbox",
        sa.Column("message_id", sa.Uuid, primary_key=True),
        sa.Column("handled_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
    )
    op.create_index("ix_inbox_handled_at", "inbox", ["handled_at"])


def downgrade() -> None:
    op.drop_table("inbox")
    op.drop_column("account", "legacy_version")
    op.drop_column("account", "number")
    op.execute(sa.schema.DropSequence(sa.Sequence("account_number")))
