"""Use cases of the catalogue: load, decide, commit. Leaving `begin` commits the change and its event together."""

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from catalog.domain import Book, BookChanged, BookUnknown, Description, Money, Page, Position


class UnitOfWork(Protocol):
    """One transaction."""

    async def load(self, isbn: str) -> Book | None: ...

    async def add(self, book: Book) -> None:
        """Raises `BookExists`."""

    async def replace(self, book: Book) -> None:
        """Store the next version in place of the one before; raises `VersionMismatch` if that is not there any more."""

    async def publish(self, *events: BookChanged) -> None: ...


class Storage(Protocol):
    """Where the books are."""

    def begin(self) -> AbstractAsyncContextManager[UnitOfWork]: ...

    async def read(self, isbn: str) -> Book | None: ...

    async def read_many(self, isbns: Sequence[str]) -> list[Book]: ...

    async def page(self, query: str | None, after: Position | None, limit: int) -> Page: ...


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

    async def add(self, isbn: str, description: Description, price: Money) -> Book:
        """Raises `BookExists`."""
        book = Book(isbn, description, price)
        async with self._storage.begin() as work:
            await work.add(book)
            await work.publish(book.changed())
        return book

    async def revise(self, isbn: str, seen: frozenset[int] | None, description: Description, price: Money) -> Book:
        """Raises `BookUnknown`, `VersionMismatch`."""
        return await self._change(isbn, seen, lambda book: book.revise(description, price))

    async def change_price(self, isbn: str, seen: frozenset[int] | None, price: Money) -> Book:
        """Raises `BookUnknown`, `VersionMismatch`."""
        return await self._change(isbn, seen, lambda book: book.reprice(price))

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
