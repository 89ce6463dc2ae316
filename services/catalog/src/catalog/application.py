"""Use cases of the catalogue: load, decide, commit. Leaving `begin` commits the change and its event together."""

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol
from uuid import UUID

from catalog.domain import (
    Book,
    BookChanged,
    BookUnknown,
    Description,
    LegacyBook,
    Money,
    NumberedPage,
    Origin,
    Page,
    Position,
)


class UnitOfWork(Protocol):
    """One transaction."""

    async def load(self, isbn: str) -> Book | None: ...

    async def lock(self, isbn: str) -> Book | None:
        """The book, as it stays until the transaction ends."""

    async def next_number(self) -> int: ...

    async def free_number(self, number: int) -> None:
        """Give another one to whichever book has this number: an ISBN was corrected in the old shop."""

    async def add(self, book: Book) -> None:
        """Raises `BookExists`."""

    async def replace(self, book: Book) -> None:
        """Store the next version in place of the one before; raises `VersionMismatch` if that is not there any more."""

    async def keep(self, book: Book) -> None:
        """Store a book that is locked."""

    async def publish(self, *events: BookChanged) -> None: ...


class Storage(Protocol):
    """Where the books are. `begin(handling=message_id)` raises `AlreadyHandled` for a message that took effect."""

    def begin(self, handling: UUID | None = None) -> AbstractAsyncContextManager[UnitOfWork]: ...

    async def read(self, isbn: str) -> Book | None: ...

    async def read_many(self, isbns: Sequence[str]) -> list[Book]: ...

    async def page(self, query: str | None, after: Position | None, limit: int) -> Page: ...

    async def by_number(self, number: int) -> Book | None: ...

    async def numbered(self, after: int, limit: int, contains: str) -> NumberedPage: ...


class Catalog:
    """What people and services can do with the catalogue."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    async def read(self, isbn: str) -> Book:
        """Raises `BookUnknown`."""
        return _known(await self._storage.read(isbn), isbn)

    async def read_many(self, isbns: Sequence[str]) -> list[Book]:
        """The books among `isbns` that there are, each once, in the order asked for."""
        found = {book.isbn: book for book in await self._storage.read_many(isbns)}
        return [found[isbn] for isbn in dict.fromkeys(isbns) if isbn in found]

    async def search(self, query: str | None, after: Position | None, limit: int) -> Page:
        """Books with every word of `query` at the beginning of some word of title or author; None: all of them."""
        return await self._storage.page(query, after, limit)

    async def read_numbered(self, number: int) -> Book:
        """Raises `BookUnknown`."""
        book = await self._storage.by_number(number)
        if book is None:
            raise BookUnknown(f"There is no book with the number {number}")
        return book

    async def list_numbered(self, after: int, limit: int, contains: str) -> NumberedPage:
        """Books with numbers above `after`, whose title or author contains the text, as the old shop lists them."""
        return await self._storage.numbered(after, limit, contains)

    async def add(self, isbn: str, description: Description, price: Money) -> Book:
        """Raises `BookExists`."""
        async with self._storage.begin() as work:
            book = Book(isbn, description, price, await work.next_number())
            await work.add(book)
            await work.publish(book.changed())
        return book

    async def revise(self, isbn: str, seen: frozenset[int] | None, description: Description, price: Money) -> Book:
        """Raises `BookUnknown`, `VersionMismatch`."""
        return await self._change(isbn, seen, lambda book: book.revise(description, price))

    async def change_price(self, isbn: str, seen: frozenset[int] | None, price: Money) -> Book:
        """Raises `BookUnknown`, `VersionMismatch`."""
        return await self._change(isbn, seen, lambda book: book.reprice(price))

    async def follow_legacy(self, told: LegacyBook, handling: UUID) -> None:
        """Take a book over as the old shop has it, if that is newer. Raises `BookExists` when it appeared meanwhile."""
        async with self._storage.begin(handling) as work:
            known = await work.lock(told.isbn)
            book = Book.of_legacy(told) if known is None else known.follow(told)
            if book is known:
                return
            if known is None or known.number != book.number:
                await work.free_number(book.number)
            await (work.add(book) if known is None else work.keep(book))
            if known is None or known.version != book.version:
                await work.publish(book.changed(Origin.LEGACY))

    async def _change(self, isbn: str, seen: frozenset[int] | None, change: Callable[[Book], Book]) -> Book:
        async with self._storage.begin() as work:
            book = change(_known(await work.load(isbn), isbn).at(seen))
            await work.replace(book)
            await work.publish(book.changed())
        return book


def _known(book: Book | None, isbn: str) -> Book:
    if book is None:
        raise BookUnknown(f"There is no book {isbn}")
    return book
