"""Storage of the catalogue: one transaction a use case, over the tables beside this file."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import REGCONFIG, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from catalog.domain import (
    Book,
    BookChanged,
    BookExists,
    Description,
    Money,
    NumberedPage,
    Page,
    Position,
    VersionMismatch,
)
from catalog.storage.tables import books, inbox, metadata, numbers, outbox
from catalog.storage.text import containing, tsquery, words
from chassis.batching import Batched
from chassis.inbox import Inbox
from chassis.messages import Message
from chassis.outbox import Outbox
from chassis.storage import Database

__all__ = ["SqlStorage", "SqlUnitOfWork", "inbox", "metadata", "outbox"]

START = Position(-(10**9), "", "")  # before every book
_inbox = Inbox(inbox)
_SIMPLE = sa.literal_column("'simple'", REGCONFIG)
_book = sa.select(
    books.c.isbn,
    books.c.title,
    books.c.author,
    books.c.year,
    books.c.price_amount,
    books.c.currency,
    books.c.number,
    books.c.version,
    books.c.legacy_version,
)
_several = _book.where(books.c.isbn == sa.any_(sa.bindparam("isbns", type_=sa.ARRAY(sa.Text))))
_locked = _book.where(books.c.isbn == sa.bindparam("isbn")).with_for_update()
_insert = insert(books).on_conflict_do_nothing().returning(books.c.isbn)
# The version in the condition is the lock: of two writers that loaded the same version the second finds no row.
_update = sa.update(books).where(books.c.isbn == sa.bindparam("of"), books.c.version == sa.bindparam("loaded"))
_keep = sa.update(books).where(books.c.isbn == sa.bindparam("of"))
_next_number = sa.select(numbers.next_value())
_free_number = sa.update(books).where(books.c.number == sa.bindparam("taken")).values(number=numbers.next_value())
_by_number = _book.where(books.c.number == sa.bindparam("number"))
_numbered = _book.where(books.c.number > sa.bindparam("after")).order_by(books.c.number).limit(sa.bindparam("limit"))
_pattern = sa.bindparam("pattern", type_=sa.Text)
_containing = _numbered.where(books.c.title.ilike(_pattern) | books.c.author.ilike(_pattern))


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

    async def lock(self, isbn: str) -> Book | None:
        row = (await self._connection.execute(_locked, {"isbn": isbn})).first()
        return _to_book(row) if row else None

    async def next_number(self) -> int:
        return int(await self._connection.scalar(_next_number) or 0)

    async def free_number(self, number: int) -> None:
        await self._connection.execute(_free_number, {"taken": number})

    async def add(self, book: Book) -> None:
        if await self._connection.scalar(_insert, {"isbn": book.isbn, **_columns(book)}) is None:
            raise BookExists(f"There is a book {book.isbn} already")

    async def replace(self, book: Book) -> None:
        key = {"of": book.isbn, "loaded": book.version - 1}
        if (await self._connection.execute(_update.values(_columns(book)), key)).rowcount == 0:
            raise VersionMismatch(f"Book {book.isbn} was changed at this very moment; read it again")

    async def keep(self, book: Book) -> None:
        await self._connection.execute(_keep.values(_columns(book)), {"of": book.isbn})

    async def publish(self, *events: BookChanged) -> None:
        await Outbox(outbox).add(self._connection, *map(self._to_message, events))


class SqlStorage:
    """Books in PostgreSQL."""

    def __init__(self, database: Database, to_message: Callable[[BookChanged], Message]) -> None:
        self._database = database
        self._to_message = to_message
        self._single_reads = Batched(self._by_isbn)

    @asynccontextmanager
    async def begin(self, handling: UUID | None = None) -> AsyncIterator[SqlUnitOfWork]:
        """A transaction, committed when the block is left without an error."""
        async with self._database.transaction() as connection:
            if handling is not None:
                await _inbox.accept(connection, handling)
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

    async def by_number(self, number: int) -> Book | None:
        async with self._database.autocommit() as connection:
            row = (await connection.execute(_by_number, {"number": number})).first()
        return _to_book(row) if row else None

    async def numbered(self, after: int, limit: int, contains: str) -> NumberedPage:
        place: dict[str, Any] = {"after": after, "limit": limit + 1}
        if contains:
            place["pattern"] = containing(contains)
        async with self._database.autocommit() as connection:
            rows = (await connection.execute(_containing if contains else _numbered, place)).all()
        return NumberedPage([_to_book(row) for row in rows[:limit]], len(rows) > limit)

    async def forget_old(self) -> None:
        """Delete the ids of messages that cannot come again."""
        async with self._database.autocommit() as connection:
            await _inbox.forget_old(connection)

    async def _page(self, statement: sa.Select[Any], parameters: dict[str, Any]) -> Page:
        async with self._database.autocommit() as connection:
            rows = (await connection.execute(statement, parameters)).all()
        shown = rows[: parameters["limit"] - 1]
        last = shown[-1] if len(rows) > len(shown) else None
        end = Position(last.rank, last.title_key, last.isbn) if last else None
        return Page([_to_book(row) for row in shown], end)


def _to_book(row: Any) -> Book:
    isbn, title, author, year, amount, currency, number, version, legacy_version = row[:9]
    return Book(isbn, Description(title, author, year), Money(amount, currency), number, version, legacy_version)


def _columns(book: Book) -> dict[str, Any]:
    described = book.description
    return {
        "title": described.title,
        "author": described.author,
        "year": described.year,
        "price_amount": book.price.amount,
        "currency": book.price.currency,
        "number": book.number,
        "version": book.version,
        "legacy_version": book.legacy_version,
        "title_key": " ".join(words(described.title)),
        "author_key": " ".join(words(described.author)),
    }
