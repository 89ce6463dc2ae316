"""Stock of the old shop: since when its deliveries count, and what it sold beyond what there was.

The code before this one goes on meanwhile: both columns have defaults, and the constraint only allows more.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.add_column("stock", sa.Column("oversold", sa.Integer, nullable=False, server_default="0"))
    op.add_column("stock", sa.Column("legacy_version", sa.BigInteger, nullable=False, server_default="0"))
    op.create_check_constraint("stock_oversold", "stock", "oversold >= 0")
    op.drop_constraint("stock_on_hand", "stock", type_="check")
    op.create_check_constraint("stock_on_hand", "stock", "on_hand >= 0 AND on_hand <= received + oversold")


def downgrade() -> None:
    op.drop_constraint("stock_on_hand", "stock", type_="check")
    op.create_check_constraint("stock_on_hand", "stock", "on_hand >= 0 AND on_hand <= received")
    op.drop_column("stock", "legacy_version")
    op.drop_column("stock", "oversold")
