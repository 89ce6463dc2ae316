"""Fill the shelves: the titles of books.csv and their stock, by the public API with the operator's login."""

import asyncio
import csv
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from deploy.local.shop import Shop

BOOKS = Path(__file__).with_name("books.csv")
CONCURRENCY = 8
CURRENCY = "EUR"


@dataclass(frozen=True)
class Book:
    """A title of the Banyan Press: prices are in minor units."""

    isbn: str
    title: str
    author: str
    year: int
    price_minor: int
    stock: int


def read_books(path: Path = BOOKS) -> list[Book]:
    """The whole list, in the order of the file."""
    with path.open(newline="", encoding="utf-8") as file:
        return [
            Book(
                isbn=row["isbn"],
                title=row["title"],
                author=row["author"],
                year=int(row["year"]),
                price_minor=int(row["price_minor"]),
                stock=int(row["stock"]),
            )
            for row in csv.DictReader(file)
        ]


async def seed(shop: Shop, books: Sequence[Book], progress: Callable[[int, int], None]) -> int:
    """Add what the catalogue does not have yet; returns how many books that were.

    Stock is received before the book is listed: a book in the catalogue says that its stock is in too, and a second
    run has one list to read.
    """
    listed = await _listed(shop)
    missing = [book for book in books if book.isbn not in listed]
    places, done = asyncio.Semaphore(CONCURRENCY), 0

    async def add(book: Book) -> None:
        nonlocal done
        async with places:
            await _add(shop, book)
        done += 1
        progress(done, len(missing))

    try:
        async with asyncio.TaskGroup() as tasks:
            for book in missing:
                tasks.create_task(add(book))
    except ExceptionGroup as group:
        raise group.exceptions[0] from group  # the first says enough: the others failed for the same reason
    return len(missing)


async def _add(shop: Shop, book: Book) -> None:
    await shop.call(
        "POST",
        f"/api/inventory/stock/{book.isbn}/receipts",
        json={"quantity": book.stock},
        headers={"Idempotency-Key": f"first-delivery-{book.isbn}"},
    )
    await shop.call(
        "PUT",
        f"/api/catalog/books/{book.isbn}",
        json={
            "title": book.title,
            "author": book.author,
            "year": book.year,
            "price": {"amount": book.price_minor, "currency": CURRENCY},
        },
        headers={"If-None-Match": "*"},
        # Somebody else seeds at the same time, or our first try was heard and its answer lost.
        accept=frozenset({412}),
    )


async def _listed(shop: Shop) -> set[str]:
    found: set[str] = set()
    cursor: str | None = None
    while True:
        params: dict[str, str | int] = {"limit": 100} | ({"cursor": cursor} if cursor else {})
        page = await shop.call("GET", "/api/catalog/books", params=params)
        found |= {book["isbn"] for book in page["items"]}
        cursor = page["next_cursor"]
        if cursor is None:
            return found
