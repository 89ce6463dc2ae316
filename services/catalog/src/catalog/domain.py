"""Books and what they cost. Each change of a book makes its next version; nothing here knows where it is stored."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum


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


class Origin(StrEnum):
    """Where a change was made: here, or in the old shop, whose changes must not be told to it again."""

    CATALOG = "catalog"
    LEGACY = "legacy"


@dataclass(frozen=True)
class LegacyBook:
    """A book as the old shop has it; `version` orders all changes of that shop."""

    isbn: str
    number: int
    description: Description
    price: Money
    version: int


@dataclass(frozen=True)
class Book:
    """A title in the catalogue; `version` counts its changes, from 1.

    `number` is what the old shop's customers call it by: the old shop's own, or one of ours from 1,000,001 on.
    `legacy_version` is the old shop's last change that this book has followed.
    """

    isbn: str
    description: Description
    price: Money
    number: int
    version: int = 1
    legacy_version: int = 0

    @classmethod
    def of_legacy(cls, told: LegacyBook) -> "Book":
        """A book that the old shop had first."""
        return cls(told.isbn, told.description, told.price, told.number, legacy_version=told.version)

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

    def follow(self, told: LegacyBook) -> "Book":
        """The book as the old shop has it, unless what it tells is older than what it told before.

        The next version only where readers see a difference: a snapshot tells each book again, and most are the same.
        """
        if told.version <= self.legacy_version:
            return self
        followed = replace(
            self, description=told.description, price=told.price, number=told.number, legacy_version=told.version
        )
        same = replace(self, legacy_version=told.version) == followed
        return followed if same else replace(followed, version=self.version + 1)

    def changed(self, origin: Origin = Origin.CATALOG) -> "BookChanged":
        """The event that tells of this version."""
        return BookChanged(
            self.isbn, self.number, self.description, self.price, self.version, origin, self.legacy_version
        )


@dataclass(frozen=True)
class BookChanged:
    """A book is new, or is described or priced anew."""

    isbn: str
    number: int
    description: Description
    price: Money
    version: int
    origin: Origin
    legacy_version: int


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


@dataclass(frozen=True)
class NumberedPage:
    """Some books in the order of their numbers, and whether there are more."""

    books: Sequence[Book]
    more: bool
