"""Books and what they cost. Each change of a book makes its next version; nothing here knows where it is stored."""

from collections.abc import Sequence
from dataclasses import dataclass, replace


class BookUnknown(Exception):
    """The catalogue has no book with this ISBN."""


class BookExists(Exception):
    """The catalogue has a book with this ISBN already."""


class VersionMismatch(Exception):
    """The book has changed since the caller saw it."""


@dataclass(frozen=True)
class Money:
    """`amount` in minor units, `currency` by ISO 4217."""

    amount: int
    currency: str


@dataclass(frozen=True)
class Description:
    """What a book is called, who wrote it, and in which year it first appeared."""

    title: str
    author: str
    year: int


@dataclass(frozen=True)
class Book:
    """A title in the catalogue; `version` counts its changes, from 1."""

    isbn: str
    description: Description
    price: Money
    version: int = 1

    def at(self, seen: frozenset[int] | None) -> "Book":
        """This book, if its version is among those that the caller has seen (None: any); raises `VersionMismatch`."""
        if seen is not None and self.version not in seen:
            raise VersionMismatch(f"Book {self.isbn} stands at another version by now; read it again")
        return self

    def revise(self, description: Description, price: Money) -> "Book":
        """The next version, with everything but the ISBN anew."""
        return replace(self, description=description, price=price, version=self.version + 1)

    def reprice(self, price: Money) -> "Book":
        """The next version, at another price."""
        return replace(self, price=price, version=self.version + 1)

    def changed(self) -> "BookChanged":
        """The event that tells of this version."""
        return BookChanged(self.isbn, self.description.title, self.price, self.version)


@dataclass(frozen=True)
class BookChanged:
    """A book is new, or is described or priced anew."""

    isbn: str
    title: str
    price: Money
    version: int


def is_isbn13(text: str) -> bool:
    """Whether `text` is thirteen digits that begin with 978 or 979 and end with the right check digit (ISO 2108)."""
    if len(text) != 13 or not (text.isascii() and text.isdigit()) or not text.startswith(("978", "979")):
        return False
    digits = [int(digit) for digit in text]
    return (sum(digits[::2]) + 3 * sum(digits[1::2])) % 10 == 0


@dataclass(frozen=True)
class Position:
    """A place in a list of books: first by relevance (the lower the better), then by title, then by ISBN."""

    rank: int
    title: str
    isbn: str


@dataclass(frozen=True)
class Page:
    """Some books of a list; `end` is the place of the last one when there are more."""

    books: Sequence[Book]
    end: Position | None
