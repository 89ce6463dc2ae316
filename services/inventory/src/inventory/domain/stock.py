"""Copies of books: how many there are, and whether they are enough."""

from collections.abc import Mapping
from dataclasses import dataclass

from inventory.domain.events import Reason

MAX_QUANTITY = 1_000_000
MAX_RECEIVED = 2_000_000_000  # of one book, ever: below the largest 32-bit integer, in which stock is kept


class StockUnknown(Exception):
    """Nothing of this book was ever received."""


class StockFull(Exception):
    """The receipt would bring a book beyond `MAX_RECEIVED`."""


@dataclass(frozen=True)
class Stock:
    """Copies of one book: received ever, on hand now, and of these reserved."""

    isbn: str
    received: int
    on_hand: int
    reserved: int

    @property
    def available(self) -> int:
        return self.on_hand - self.reserved


@dataclass(frozen=True)
class Shortage:
    """The first book that stands in the way of a reservation."""

    reason: Reason
    isbn: str


def shortage(lines: Mapping[str, int], available: Mapping[str, int]) -> Shortage | None:
    """All lines or none: the first unknown or short book, or None. `available` lacks unknown books."""
    for isbn, quantity in sorted(lines.items()):
        if isbn not in available:
            return Shortage(Reason.UNKNOWN_BOOK, isbn)
        if available[isbn] < quantity:
            return Shortage(Reason.OUT_OF_STOCK, isbn)
    return None
