"""Catalog and inventory, as the adapters see them."""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from chassis.http_client import HttpClient
from facade.shop_clients.asking import LARGEST_NUMBER, Minor, ask, in_parts, read


@dataclass(frozen=True)
class Book:
    """A title of catalog; `number` is what the old shop calls it by, `price` is in minor units."""

    number: int
    isbn: str
    title: str
    author: str
    year: int
    price: Minor


@dataclass(frozen=True)
class Name:
    """What a book is called today."""

    isbn: str
    number: int
    title: str


@dataclass(frozen=True)
class BookPage:
    """Some books in the order of their numbers, and whether there are more."""

    items: list[Book]
    more: bool


@dataclass(frozen=True)
class _Names:
    items: list[Name]


@dataclass(frozen=True)
class _Copies:
    isbn: str
    available: int


@dataclass(frozen=True)
class _Stock:
    items: list[_Copies]


class CatalogClient:
    """Books by their numbers, and their numbers by ISBN. What catalog does not know is absent."""

    def __init__(self, http: HttpClient) -> None:
        self._http = http

    async def page(self, after: int, limit: int, words: str) -> BookPage:
        """Books above a number; `words` as they stand in title or author."""
        params = {"after": after, "limit": limit, "contains": words}
        return read(BookPage, await ask(self._http, "GET", "/api/catalog/numbers", params=params))

    async def book(self, number: int) -> Book | None:
        """One book."""
        if not 1 <= number <= LARGEST_NUMBER:
            return None
        body = await ask(self._http, "GET", f"/api/catalog/numbers/{number}", absent=[404])
        return None if body is None else read(Book, body)

    async def books(self, numbers: Iterable[int]) -> dict[int, Book]:
        """Several, in the order of their numbers."""
        found = await asyncio.gather(*(self.book(number) for number in sorted(set(numbers))))
        return {book.number: book for book in found if book is not None}

    async def names(self, isbns: Iterable[str]) -> dict[str, Name]:
        """By ISBN."""
        found = await asyncio.gather(*map(self._names, in_parts(isbns)))
        return {name.isbn: name for part in found for name in part}

    async def _names(self, isbns: Sequence[str]) -> list[Name]:
        params = [("isbn", isbn) for isbn in isbns]
        return read(_Names, await ask(self._http, "GET", "/api/catalog/prices", params=params)).items


class InventoryClient:
    """How many copies can be ordered."""

    def __init__(self, http: HttpClient) -> None:
        self._http = http

    async def available(self, isbns: Iterable[str]) -> dict[str, int]:
        """By ISBN; a book that inventory never had is absent."""
        found = await asyncio.gather(*map(self._available, in_parts(isbns)))
        return {each.isbn: each.available for part in found for each in part}

    async def _available(self, isbns: Sequence[str]) -> list[_Copies]:
        params = [("isbn", isbn) for isbn in isbns]
        return read(_Stock, await ask(self._http, "GET", "/api/inventory/stock", params=params)).items
