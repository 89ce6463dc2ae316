"""The tables of the catalogue."""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import TSVECTOR

from chassis.inbox import inbox_table
from chassis.outbox import outbox_table

# `simple`, not `english`: titles and names are not prose. Stemming would lose a book while its title is being typed
# (`persuasi` is no prefix of the stem `persuas`), stop words would make "It" unfindable.
SEARCH = "setweight(to_tsvector('simple', title_key), 'A') || setweight(to_tsvector('simple', author_key), 'B')"

metadata = sa.MetaData()
# Above any number that the old shop gives out by itself: both give numbers until it is gone.
numbers = sa.Sequence("book_number", start=1_000_001, metadata=metadata)
books = sa.Table(
    "books",
    metadata,
    sa.Column("isbn", sa.Text, primary_key=True),
    sa.Column("title", sa.Text, nullable=False),
    sa.Column("author", sa.Text, nullable=False),
    sa.Column("year", sa.Integer, nullable=False),
    sa.Column("price_amount", sa.Integer, nullable=False),
    sa.Column("currency", sa.Text, nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    # Collation C: a cursor must find its place again after the system's own rules of sorting have changed.
    sa.Column("title_key", sa.Text(collation="C"), nullable=False),
    sa.Column("author_key", sa.Text, nullable=False),
    sa.Column("search", TSVECTOR, sa.Computed(SEARCH, persisted=True), nullable=False),
    sa.Column("number", sa.BigInteger, nullable=False, server_default=numbers.next_value()),
    sa.Column("legacy_version", sa.BigInteger, nullable=False, server_default="0"),
    sa.UniqueConstraint("number", name="books_number"),
    sa.CheckConstraint("price_amount > 0", name="books_price_positive"),
    sa.CheckConstraint("version > 0", name="books_version_positive"),
    sa.Index("books_by_title", "title_key", "isbn"),
    sa.Index("books_search", "search", postgresql_using="gin"),
)
outbox = outbox_table(metadata)
inbox = inbox_table(metadata)
