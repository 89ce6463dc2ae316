"""Stock, reservations, and the tables of messaging and idempotency keys."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def _moment(name: str, **options: object) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), **options)  # type: ignore[arg-type]


def _now(name: str) -> sa.Column[object]:
    return _moment(name, nullable=False, server_default=sa.func.now())


def upgrade() -> None:
    _create_stock()
    _create_reservations()
    _create_messaging()
    _create_idempotency_keys()


def _create_stock() -> None:
    op.create_table(
        "stock",
        sa.Column("isbn", sa.Text, primary_key=True),
        sa.Column("received", sa.Integer, nullable=False),
        sa.Column("on_hand", sa.Integer, nullable=False),
        sa.Column("reserved", sa.Integer, nullable=False),
        sa.CheckConstraint("on_hand >= 0 AND on_hand <= received", name="stock_on_hand"),
        sa.CheckConstraint("reserved >= 0 AND reserved <= on_hand", name="stock_reserved"),
    )


def _create_reservations() -> None:
    op.create_table(
        "reservation",
        sa.Column("order_id", sa.Uuid, primary_key=True),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("reason", sa.Text),
        sa.Column("isbn", sa.Text),
        _moment("expires_at"),
        _now("created_at"),
        _now("updated_at"),
        sa.CheckConstraint("state IN ('held', 'committed', 'released', 'refused')", name="reservation_state"),
        sa.CheckConstraint("state <> 'held' OR expires_at IS NOT NULL", name="reservation_held_until"),
    )
    op.create_index("reservation_held", "reservation", ["expires_at"], postgresql_where=sa.text("state = 'held'"))
    op.create_table(
        "reservation_line",
        sa.Column("order_id", sa.Uuid, sa.ForeignKey("reservation.order_id"), primary_key=True),
        sa.Column("isbn", sa.Text, sa.ForeignKey("stock.isbn"), primary_key=True),
        sa.Column("quantity", sa.Integer, nullable=False),
        sa.CheckConstraint("quantity > 0", name="line_quantity"),
    )


def _create_messaging() -> None:
    op.create_table(
        "outbox",
        sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
        sa.Column("message_id", sa.Uuid, nullable=False, unique=True),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("aggregate", sa.Text, nullable=False),
        sa.Column("payload", sa.LargeBinary, nullable=False),
        _now("created_at"),
        _moment("published_at"),
    )
    op.create_index("outbox_unpublished", "outbox", ["id"], postgresql_where=sa.text("published_at IS NULL"))
    op.create_table("inbox", sa.Column("message_id", sa.Uuid, primary_key=True), _now("handled_at"))
    op.create_index("ix_inbox_handled_at", "inbox", ["handled_at"])


def _create_idempotency_keys() -> None:
    op.create_table(
        "idempotency_key",
        sa.Column("caller", sa.Text, primary_key=True),
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("fingerprint", sa.LargeBinary, nullable=False),
        _now("claimed_at"),
        sa.Column("status", sa.SmallInteger),
        sa.Column("location", sa.Text),
        sa.Column("body", sa.LargeBinary),
    )
    op.create_index("ix_idempotency_key_claimed_at", "idempotency_key", ["claimed_at"])
