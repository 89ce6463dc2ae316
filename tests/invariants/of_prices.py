"""Invariants of prices: orders has heard what catalog says, and catalog counts its versions."""

from collections import defaultdict
from collections.abc import Iterator

from tests.invariants.ledgers import Book, HeardPrice
from tests.invariants.snapshot import Snapshot
from tests.invariants.verdict import unless


def are_heard_as_catalog_says(shop: Snapshot) -> Iterator[str | None]:
    heard = {price.isbn: price for price in shop.all(HeardPrice)}
    for book in shop.all(Book):
        expected = HeardPrice(book.isbn, book.title, book.price_amount, book.currency, book.version)
        found = heard.pop(book.isbn, None)
        yield unless(found == expected, f"catalog says {expected}, orders has heard {found}")
    for isbn in heard:
        yield f"orders has heard a price of {isbn}, which is not in the catalogue"


def have_versions_without_gap(shop: Snapshot) -> Iterator[str | None]:
    """The events of a book count 1, 2, 3 … (the oldest may be forgotten) up to the version that the book stands at."""
    told: defaultdict[str, list[int]] = defaultdict(list)
    for row in shop.outboxes.get("catalog", ()):
        told[row.aggregate].append(row.version)
    for book in shop.all(Book):
        versions = told.pop(book.isbn, [book.version])
        good = versions == list(range(versions[0], book.version + 1))
        yield unless(good, f"book {book.isbn} stands at version {book.version}, its events tell of {versions}")
    for isbn in told:
        yield f"there are events of {isbn}, which is not in the catalogue"
