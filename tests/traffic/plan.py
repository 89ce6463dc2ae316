"""What the customers will do, decided beforehand: the same seed, orders and catalogue give the same plan.

Timing is not part of it. How answers interleave differs from run to run, what is asked does not.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from random import Random

# Shares of orders. The rest pays with a good card.
CARDS = (
    ("tok_declined", 0.04),
    ("tok_stolen", 0.02),
    ("tok_answer_lost", 0.01),
    ("tok_slow", 0.01),
    ("tok_unavailable_once", 0.01),
)
GOOD_CARD = "tok_ok"
DUPLICATES, CANCELLATIONS = 0.05, 0.05
READS = (("book", 0.2), ("order", 0.2), ("list", 0.1), ("history", 0.05))
MOST_LINES, MOST_COPIES = 5, 3


class Duplicate(StrEnum):
    """Whether an order is sent a second time with the same key: after the answer, or together with the first."""

    NONE = "none"
    AFTER = "after"
    MEANWHILE = "meanwhile"


@dataclass(frozen=True)
class Title:
    """A book as far as a customer needs it."""

    isbn: str
    title: str
    author: str


@dataclass(frozen=True)
class Visit:
    """One customer comes, looks round, orders, and perhaps has second thoughts. `number` is unique in a plan."""

    number: int
    customer: int
    searches: tuple[str, ...]
    lines: tuple[tuple[str, int], ...]
    card: str = GOOD_CARD
    duplicate: Duplicate = Duplicate.NONE
    cancels: bool = False
    reads: frozenset[str] = frozenset()


def customers_for(orders: int) -> int:
    """How many customers share so many orders: twenty each, and never fewer than eight customers."""
    return max(8, orders // 20)


def make_plan(seed: int, orders: int, catalogue: Sequence[Title], *, only_good: bool = False) -> list[Visit]:
    """All visits in the order of their beginning. With `only_good` every card pays and nobody cancels or repeats."""
    root = Random(seed)
    shelves = sorted(catalogue, key=lambda book: book.isbn)
    customers = [_Customer(number, Random(root.getrandbits(64)), shelves) for number in range(customers_for(orders))]
    return [customers[root.randrange(len(customers))].visit(number, only_good) for number in range(orders)]


def arrivals(seed: int, orders: int, rate: float) -> list[float]:
    """Seconds from the start at which an open loop begins each visit: a Poisson process of `rate` a second."""
    random, now, times = Random(seed ^ 0xA221_7A15), 0.0, []
    for _ in range(orders):
        now += random.expovariate(rate)
        times.append(now)
    return times


class _Customer:
    """Draws a customer's visits from a randomness of its own, so that one more customer changes no other's plan."""

    def __init__(self, number: int, random: Random, shelves: Sequence[Title]) -> None:
        self._number = number
        self._random = random
        self._shelves = shelves

    def visit(self, number: int, only_good: bool) -> Visit:
        books = self._random.sample(self._shelves, min(len(self._shelves), self._random.randint(1, MOST_LINES)))
        lines = tuple((book.isbn, self._random.randint(1, MOST_COPIES)) for book in books)
        card, duplicate, cancels = self._card(), self._duplicate(), self._random.random() < CANCELLATIONS
        reads = frozenset(name for name, share in READS if self._random.random() < share)
        visit = Visit(number, self._number, self._searches(books), lines, reads=reads)
        return (
            visit if only_good else Visit(**{**vars(visit), "card": card, "duplicate": duplicate, "cancels": cancels})
        )

    def _searches(self, books: Sequence[Title]) -> tuple[str, ...]:
        wanted = [self._random.choice(books) for _ in range(self._random.randint(2, 3))]
        return tuple(self._random.choice(words(book)) for book in wanted)

    def _card(self) -> str:
        return self._random.choices(
            [*(name for name, _ in CARDS), GOOD_CARD],
            [*(share for _, share in CARDS), 1 - sum(share for _, share in CARDS)],
        )[0]

    def _duplicate(self) -> Duplicate:
        if self._random.random() >= DUPLICATES:
            return Duplicate.NONE
        return self._random.choice((Duplicate.AFTER, Duplicate.MEANWHILE))


def words(book: Title) -> list[str]:
    """Words that a customer might look a book up by: those of title and author that are long enough to mean it."""
    found = re.findall(r"\w{4,}", f"{book.title} {book.author}")
    return found or [book.title]
