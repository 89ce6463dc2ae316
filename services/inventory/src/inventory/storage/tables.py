"""The tables of inventory. CHECK constraints are the last guard: no bug and no race can sell a copy twice."""

import sqlalchemy as sa

from chassis.idempotency import idempotency_table
from chassis.inbox import inbox_table
from chassis.outbox import outbox_table

metadata = sa.MetaData()
outbox = outbox_table(metadata)
inbox = inbox_table(metadata)
idempotency_key = idempotency_table(metadata)
stock = sa.Table(
    "stock",
    metadata,
    sa.Column("isbn", sa.Text, primary_key=True),
    sa.Column("received", sa.Integer, nullable=False),
    sa.Column("on_hand", sa.Integer, nullable=False),
    sa.Column("reserved", sa.Integer, nullable=False),
    # Copies that the old shop sold without having them: `on_hand` = `received` - committed + `oversold`.
    sa.Column("oversold", sa.Integer, nullable=False, server_default="0"),
    sa.Column("legacy_version", sa.BigInteger, nullable=False, server_default="0"),
    sa.CheckConstraint("oversold >= 0", name="stock_oversold"),
    sa.CheckConstraint("on_hand >= 0 AND on_hand <= received + oversold", name="stock_on_hand"),
    sa.CheckConstraint("reserved >= 0 AND reserved <= on_hand", name="stock_reserved"),
)
reservation = sa.Table(
    "reservation",
    metadata,
    sa.Column("order_id", sa.Uuid, primary_key=True),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("reason", sa.Text),
    sa.Column("isbn", sa.Text),
    sa.Column("expires_at", sa.DateTime(timezone=True)),
    sa.Column("created_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
    sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
    sa.CheckConstraint("state IN ('held', 'committed', 'released', 'refused')", name="reservation_state"),
    sa.CheckConstraint("state <> 'held' OR expires_at IS NOT NULL", name="reservation_held_until"),
)
sa.Index("reservation_held", reservation.c.expires_at, postgresql_where=sa.text("state = 'held'"))
reservation_line = sa.Table(
    "reservation_line",
    metadata,
    sa.Column("order_id", sa.Uuid, sa.ForeignKey(reservation.c.order_id), primary_key=True),
    sa.Column("isbn", sa.Text, sa.ForeignKey(stock.c.isbn), primary_key=True),
    sa.Column("quantity", sa.Integer, sa.CheckConstraint("quantity > 0", name="line_quantity"), nullable=False),
)
