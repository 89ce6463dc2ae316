"""Tables and queries of the catalogue."""

import re
import unicodedata
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import REGCONFIG, TSVECTOR, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from catalog.domain import Book, BookChanged, BookExists, Description, Money, Page, Position, VersionMismatch
from chassis.batching import Batched
from chassis.messages import Message
from chassis.outbox import Outbox, outbox_table
from chassis.storage import Database

# `simple`, not `english`: titles and names are not prose. Stemming would lose a book while its title is being typed
# (`persuasi` is no prefix of the stem `persuas`), stop words would make "It" unfindable.
SEARCH = "setweight(to_tsvector('simple', title_key), 'A') || setweight(to_tsvector('simple', author_key), 'B')"

metadata = sa.MetaData()
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
    sa.CheckConstraint("price_amount > 0", name="books_price_positive"),
    sa.CheckConstraint("version > 0", name="books_version_positive"),
    sa.Index("books_by_title", "title_key", "isbn"),
    sa.Index("books_search", "search", postgresql_using="gin"),
)
outbox = outbox_table(metadata)

START = Position(-(10**9), "", "")  # before every book
_SIMPLE = sa.literal_column("'simple'", REGCONFIG)
_book = sa.select(
    books.c.isbn,
    books.c.title,
    books.c.author,
    books.c.year,
    books.c.price_amount,
    books.c.currency,
    books.c.version,
)
_several = _book.where(books.c.isbn == sa.any_(sa.bindparam("isbns", type_=sa.ARRAY(sa.Text))))
_insert = insert(books).on_conflict_do_nothing().returning(books.c.isbn)
# The version in the condition is the lock: of two writers that loaded the same version the second finds no row.
_update = sa.update(books).where(books.c.isbn == sa.bindparam("of"), books.c.version == sa.bindparam("loaded"))


def _after(*place: sa.ColumnElement[Any]) -> sa.ColumnElement[bool]:
    names = ("rank", "title", "isbn")[-len(place) :]
    binds = [sa.bindparam(name, type_=column.type) for name, column in zip(names, place, strict=True)]
    return sa.tuple_(*place) > sa.tuple_(*binds)


def _listing() -> sa.Select[Any]:
    listed = _book.add_columns(books.c.title_key, sa.literal_column("0").label("rank"))
    place = (books.c.title_key, books.c.isbn)
    return listed.where(_after(*place)).order_by(*place).limit(sa.bindparam("limit"))


def _search() -> sa.Select[Any]:
    query = sa.func.to_tsquery(_SIMPLE, sa.bindparam("terms", type_=sa.Text))
    # Weighted, and divided by the length: for "emma" the book of that name comes before those that mention her. A rank
    # depends on its own row only, so books that are added meanwhile move nobody across a cursor.
    relevance = sa.func.ts_rank(books.c.search, query, 1, type_=sa.REAL)
    rank = sa.cast(relevance * -1_000_000, sa.BigInteger)
    found = _book.add_columns(books.c.title_key, rank.label("rank")).where(books.c.search.bool_op("@@")(query))
    place = (rank, books.c.title_key, books.c.isbn)
    return found.where(_after(*place)).order_by(*place).limit(sa.bindparam("limit"))


_listed, _found = _listing(), _search()


class SqlUnitOfWork:
    """One transaction on the catalogue's database."""

    def __init__(self, connection: AsyncConnection, to_message: Callable[[BookChanged], Message]) -> None:
        self._connection = connection
        self._to_message = to_message

    async def load(self, isbn: str) -> Book | None:
        row = (await self._connection.execute(_several, {"isbns": [isbn]})).first()
        return _to_book(row) if row else None

    async def add(self, book: Book) -> None:
        if await self._connection.scalar(_insert, {"isbn": book.isbn, **_columns(book)}) is None:
            raise BookExists(f"There is a book {book.isbn} already")

    async def replace(self, book: Book) -> None:
        key = {"of": book.isbn, "loaded": book.version - 1}
        if (await self._connection.execute(_update.values(_columns(book)), key)).rowcount == 0:
            raise VersionMismatch(f"Book {book.isbn} was changed at this very moment; read it again")

    async def publish(self, *events: BookChanged) -> None:
        await Outbox(outbox).add(self._connection, *map(self._to_message, events))


class SqlStorage:
    """Books in PostgreSQL."""

    def __init__(self, database: Database, to_message: Callable[[BookChanged], Message]) -> None:
        self._database = database
        self._to_message = to_message
        self._single_reads = Batched(self._by_isbn)

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[SqlUnitOfWork]:
        """A transaction, committed when the block is left without an error."""
        async with self._database.transaction() as connection:
            yield SqlUnitOfWork(connection, self._to_message)

    async def read(self, isbn: str) -> Book | None:
        return await self._single_reads.get(isbn)

    async def read_many(self, isbns: Sequence[str]) -> list[Book]:
        return list((await self._by_isbn(isbns)).values())

    async def _by_isbn(self, isbns: Sequence[str]) -> dict[str, Book]:
        async with self._database.autocommit() as connection:
            rows = await connection.execute(_several, {"isbns": list(isbns)})
            return {row.isbn: _to_book(row) for row in rows}

    async def page(self, query: str | None, after: Position | None, limit: int) -> Page:
        start = after or START
        place = {"title": start.title, "isbn": start.isbn, "limit": limit + 1}
        if query is None:
            return await self._page(_listed, place)
        terms = tsquery(query)
        if not terms:
            return Page([], None)
        return await self._page(_found, {**place, "rank": start.rank, "terms": terms})

    async def _page(self, statement: sa.Select[Any], parameters: dict[str, Any]) -> Page:
        async with self._database.autocommit() as connection:
            rows = (await connection.execute(statement, parameters)).all()
        shown = rows[: parameters["limit"] - 1]
        last = shown[-1] if len(rows) > len(shown) else None
        end = Position(last.rank, last.title_key, last.isbn) if last else None
        return Page([_to_book(row) for row in shown], end)


def _to_book(row: Any) -> Book:
    isbn, title, author, year, amount, currency, version = row[:7]
    return Book(isbn, Description(title, author, year), Money(amount, currency), version)


def _columns(book: Book) -> dict[str, Any]:
    described = book.description
    return {
        "title": described.title,
        "author": described.author,
        "year": described.year,
        "price_amount": book.price.amount,
        "currency": book.price.currency,
        "version": book.version,
        "title_key": " ".join(words(described.title)),
        "author_key": " ".join(words(described.author)),
    }


# Accents are taken off here rather than in PostgreSQL, where it would take an extension; and a title and a query cannot
# disagree about what a word is.
_MARKS = re.compile("[\u0300-\u036f]")
_WORD = re.compile(r"[^\W_]+")


def words(text: str) -> list[str]:
    """Words as they are searched and sorted: `Les Misérables!` is `["les", "miserables"]`."""
    return _WORD.findall(_MARKS.sub("", unicodedata.normalize("NFKD", text)).lower())


def tsquery(text: str) -> str:
    """For `to_tsquery`: every word of `text` begins some word of the book. Quoted, so that no input is an operator."""
    return " & ".join(f"'{word}':*" for word in words(text))
