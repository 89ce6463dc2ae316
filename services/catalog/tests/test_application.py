"""Use cases: a change and its event are committed together or not at all."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from uuid import UUID

import pytest

from catalog.application import Catalog
from catalog.domain import (
    Book,
    BookChanged,
    BookExists,
    BookUnknown,
    Description,
    Money,
    NumberedPage,
    Origin,
    Page,
    Position,
    VersionMismatch,
)

ISBN = "9799001000010"
EMMA = Description("Emma", "Jane Austen", 1815)
PRICE = Money(1299, "EUR")


@dataclass
class FakeStorage:
    """Books in a dictionary; `events` holds what was committed."""

    books: dict[str, Book] = field(default_factory=dict)
    events: list[BookChanged] = field(default_factory=list)

    @asynccontextmanager
    async def begin(self, handling: UUID | None = None) -> AsyncIterator["FakeUnitOfWork"]:
        work = FakeUnitOfWork(dict(self.books))
        yield work
        self.books = work.books
        self.events += work.events

    async def read(self, isbn: str) -> Book | None:
        return self.books.get(isbn)

    async def read_many(self, isbns: Sequence[str]) -> list[Book]:
        return [book for isbn, book in sorted(self.books.items()) if isbn in isbns]

    async def page(self, query: str | None, after: Position | None, limit: int) -> Page:
        return Page(list(self.books.values())[:limit], None)

    async def by_number(self, number: int) -> Book | None:
        return next((book for book in self.books.values() if book.number == number), None)

    async def numbered(self, after: int, limit: int, contains: str) -> NumberedPage:
        return NumberedPage([book for book in self.books.values() if book.number > after][:limit], more=False)


@dataclass
class FakeUnitOfWork:
    books: dict[str, Book]
    events: list[BookChanged] = field(default_factory=list)

    async def load(self, isbn: str) -> Book | None:
        return self.books.get(isbn)

    async def lock(self, isbn: str) -> Book | None:
        return self.books.get(isbn)

    async def next_number(self) -> int:
        return 1_000_001 + len(self.books)

    async def free_number(self, number: int) -> None:
        assert all(book.number != number for book in self.books.values())

    async def add(self, book: Book) -> None:
        if book.isbn in self.books:
            raise BookExists
        self.books[book.isbn] = book

    async def replace(self, book: Book) -> None:
        if self.books[book.isbn].version != book.version - 1:
            raise VersionMismatch
        self.books[book.isbn] = book

    async def keep(self, book: Book) -> None:
        self.books[book.isbn] = book

    async def publish(self, *events: BookChanged) -> None:
        self.events += events


@pytest.fixture
def storage() -> FakeStorage:
    return FakeStorage({ISBN: Book(ISBN, EMMA, PRICE, 7)})


async def test_a_new_price_makes_a_new_version_and_tells_of_it(storage: FakeStorage) -> None:
    book = await Catalog(storage).change_price(ISBN, frozenset({1}), Money(999, "EUR"))
    assert storage.books[ISBN] == book
    assert storage.events == [BookChanged(ISBN, 7, EMMA, Money(999, "EUR"), 2, Origin.CATALOG, 0)]


async def test_a_change_of_an_older_version_changes_and_tells_nothing(storage: FakeStorage) -> None:
    before = dict(storage.books)
    with pytest.raises(VersionMismatch):
        await Catalog(storage).change_price(ISBN, frozenset({2}), Money(999, "EUR"))
    assert (storage.books, storage.events) == (before, [])


async def test_an_unknown_book_can_be_added_and_not_changed(storage: FakeStorage) -> None:
    catalog = Catalog(storage)
    with pytest.raises(BookUnknown):
        await catalog.revise("9799001000027", None, EMMA, PRICE)
    await catalog.add("9799001000027", EMMA, PRICE)
    with pytest.raises(BookExists):
        await catalog.add("9799001000027", EMMA, PRICE)
    assert [event.version for event in storage.events] == [1]


async def test_prices_come_in_the_order_asked_for_each_once(storage: FakeStorage) -> None:
    catalog = Catalog(storage)
    await catalog.add("9799001000027", EMMA, PRICE)
    found = await catalog.read_many(["9799001000027", "9780306406157", ISBN, "9799001000027"])
    assert [book.isbn for book in found] == ["9799001000027", ISBN]
