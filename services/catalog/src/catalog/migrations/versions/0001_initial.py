"""Books, and the outbox that tells of their changes."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import TSVECTOR

revision = "0001"
down_revision = None

SEARCH = "setweight(to_tsvector('simple', title_key), 'A') || setweight(to_tsvector('simple', author_key), 'B')"


def upgrade() -> None:
    op.create_table(
        "books",
        sa.Column("isbn", sa.Text, primary_key=True),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("author", sa.Text, nullable=False),
        sa.Column("year", sa.Integer, nullable=False),
        sa.Column("price_amount", sa.Integer, nullable=False),
        sa.Column("currency", sa.Text, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("title_key", sa.Text(collation="C"), nullable=False),
        sa.Column("author_key", sa.Text, nullable=False),
        sa.Column("search", TSVECTOR, sa.Computed(SEARCH, persisted=True), nullable=False),
        sa.CheckConstraint("price_amount > 0", name="books_price_positive"),
        sa.CheckConstraint("version > 0", name="books_version_positive"),
    )
    op.create_index("books_by_title", "books", ["title_key", "isbn"])
    op.create_index("books_search", "books", ["search"], postgresql_using="gin")
    op.create_table(
        "outbox",
        sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
        sa.Column("message_id", sa.Uuid, nullable=False, unique=True),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("aggregate", sa.Text, nullable=False),
        sa.Column("payload", sa.LargeBinary, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
        sa.Column("published_at", sa.DateTime(timezone=True)),
    )
    op.create_index("outbox_unpublished", "outbox", ["id"], postgresql_where=sa.text("published_at IS NULL"))


def downgrade() -> None:
    op.drop_table("outbox")
    op.drop_table("books")
