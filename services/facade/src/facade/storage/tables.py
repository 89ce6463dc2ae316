"""The tables of the facade: where each capability stands, who has moved it, and what the replicas have seen."""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

metadata = sa.MetaData()
_time = sa.DateTime(timezone=True)


def _now(name: str) -> "sa.Column[object]":
    return sa.Column(name, _time, nullable=False, server_default=sa.func.now())


def _zero(name: str) -> "sa.Column[object]":
    return sa.Column(name, sa.BigInteger, nullable=False, server_default="0")


standing = sa.Table(
    "standing",
    metadata,
    sa.Column("capability", sa.Text, primary_key=True),
    sa.Column("stage", sa.Text, nullable=False),
    sa.Column("percent", sa.SmallInteger, nullable=False, server_default="0"),
    sa.Column("generation", sa.BigInteger, nullable=False, server_default="1"),
    # The generation from which on comparisons speak for a promotion.
    sa.Column("evidence_from", sa.BigInteger, nullable=False, server_default="1"),
    _now("since"),
    # While writes are held: since when, and where to go when the cut-over is undone.
    sa.Column("parked_at", _time),
    sa.Column("returns_to", sa.Text),
    # The mistake that an operator has switched on in the adapter of this capability.
    sa.Column("bug", sa.Text),
    sa.CheckConstraint("percent BETWEEN 0 AND 100", name="standing_percent"),
    sa.CheckConstraint("(parked_at IS NULL) = (returns_to IS NULL)", name="standing_parked"),
)
presence = sa.Table(
    "presence",
    metadata,
    sa.Column("replica", sa.Uuid, primary_key=True),
    sa.Column("capability", sa.Text, primary_key=True),
    sa.Column("generation", sa.BigInteger, nullable=False),
    sa.Column("in_flight", sa.Integer, nullable=False),
    _now("seen_at"),
)
audit = sa.Table(
    "audit",
    metadata,
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
# Totals of one replica in one generation: written as they are, never added to, so that a repetition does no harm.
tally = sa.Table(
    "tally",
    metadata,
    sa.Column("capability", sa.Text, primary_key=True),
    sa.Column("generation", sa.BigInteger, primary_key=True),
    sa.Column("replica", sa.Uuid, primary_key=True),
    _zero("matched"),
    _zero("mismatched"),
    _zero("dropped"),
    _zero("answered_legacy"),
    _zero("answered_modern"),
    _zero("failed_legacy"),
    _zero("failed_modern"),
    sa.Column("longest_hold", sa.Float, nullable=False, server_default="0"),
    # How many answers, or holds, took as long as each bucket says.
    sa.Column("legacy_times", sa.ARRAY(sa.BigInteger), nullable=False),
    sa.Column("modern_times", sa.ARRAY(sa.BigInteger), nullable=False),
    sa.Column("held_times", sa.ARRAY(sa.BigInteger), nullable=False),
)
mismatch = sa.Table(
    "mismatch",
    metadata,
    sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
    _now("at"),
    sa.Column("capability", sa.Text, nullable=False),
    sa.Column("generation", sa.BigInteger, nullable=False),
    sa.Column("method", sa.Text, nullable=False),
    sa.Column("path", sa.Text, nullable=False),
    sa.Column("differences", JSONB, nullable=False),
    sa.Index("mismatch_of_capability", "capability", "generation"),
)
# Orders that the new side has taken through the facade: before a roll-back the old shop must have them.
placed = sa.Table(
    "placed",
    metadata,
    sa.Column("number", sa.BigInteger, primary_key=True),
    _now("at"),
    sa.Index("placed_at", "at"),
)
