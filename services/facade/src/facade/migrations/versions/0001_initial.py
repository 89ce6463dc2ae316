"""Where each capability stands, the audit trail, what the replicas report, and the orders to wait for."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0001"
down_revision = None


def _now(name: str) -> "sa.Column[object]":
    return sa.Column(name, sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now())


def _zero(name: str) -> "sa.Column[object]":
    return sa.Column(name, sa.BigInteger, nullable=False, server_default="0")


def upgrade() -> None:
    _create_standing()
    _create_audit()
    _create_tally()
    op.create_table("placed", sa.Column("number", sa.BigInteger, primary_key=True), _now("at"))
    op.create_index("placed_at", "placed", ["at"])


def _create_standing() -> None:
    standing = op.create_table(
        "standing",
        sa.Column("capability", sa.Text, primary_key=True),
        sa.Column("stage", sa.Text, nullable=False),
        sa.Column("percent", sa.SmallInteger, nullable=False, server_default="0"),
        sa.Column("generation", sa.BigInteger, nullable=False, server_default="1"),
        sa.Column("evidence_from", sa.BigInteger, nullable=False, server_default="1"),
        _now("since"),
        sa.Column("parked_at", sa.DateTime(timezone=True)),
        sa.Column("returns_to", sa.Text),
        sa.Column("bug", sa.Text),
        sa.CheckConstraint("percent BETWEEN 0 AND 100", name="standing_percent"),
        sa.CheckConstraint("(parked_at IS NULL) = (returns_to IS NULL)", name="standing_parked"),
    )
    op.bulk_insert(standing, [{"capability": name, "stage": "legacy"} for name in ("catalog", "orders")])
    op.create_table(
        "presence",
        sa.Column("replica", sa.Uuid, primary_key=True),
        sa.Column("capability", sa.Text, primary_key=True),
        sa.Column("generation", sa.BigInteger, nullable=False),
        sa.Column("in_flight", sa.Integer, nullable=False),
        _now("seen_at"),
    )


def _create_audit() -> None:
    op.create_table(
        "audit",
        sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
        _now("at"),
        sa.Column("who", sa.Text, nullable=False),
        sa.Column("capability", sa.Text, nullable=False),
        sa.Column("generation", sa.BigInteger, nullable=False),
        sa.Column("from_stage", sa.Text, nullable=False),
        sa.Column("to_stage", sa.Text, nullable=False),
        sa.Column("percent", sa.SmallInteger, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("forced", sa.Boolean, nullable=False),
        sa.Column("evidence", JSONB, nullable=False),
    )


def _create_tally() -> None:
    counts = (
        "matched",
        "mismatched",
        "dropped",
        "answered_legacy",
        "answered_modern",
        "failed_legacy",
        "failed_modern",
    )
    times = ("legacy_times", "modern_times", "held_times")
    op.create_table(
        "tally",
        sa.Column("capability", sa.Text, primary_key=True),
        sa.Column("generation", sa.BigInteger, primary_key=True),
        sa.Column("replica", sa.Uuid, primary_key=True),
        *map(_zero, counts),
        sa.Column("longest_hold", sa.Float, nullable=False, server_default="0"),
        *(sa.Column(name, sa.ARRAY(sa.BigInteger), nullable=False) for name in times),
    )
    op.create_table(
        "mismatch",
        sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
        _now("at"),
        sa.Column("capability", sa.Text, nullable=False),
        sa.Column("generation", sa.BigInteger, nullable=False),
        sa.Column("method", sa.Text, nullable=False),
        sa.Column("path", sa.Text, nullable=False),
        sa.Column("differences", JSONB, nullable=False),
    )
    op.create_index("mismatch_of_capability", "mismatch", ["capability", "generation"])


def downgrade() -> None:
    for table in ("mismatch", "tally", "audit", "presence", "standing", "placed"):
        op.drop_table(table)
