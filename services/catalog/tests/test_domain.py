"""What a book does when it is changed, and which numbers are ISBNs."""

import pytest

from catalog.domain import Book, Description, Money, VersionMismatch, is_isbn13

EMMA = Book("9799001000010", Description("Emma", "Jane Austen", 1815), Money(1299, "EUR"), number=7, version=3)


def test_each_change_makes_the_next_version() -> None:
    dearer = EMMA.reprice(Money(1399, "EUR"))
    renamed = dearer.revise(Description("Emma.", "Jane Austen", 1816), Money(1499, "EUR"))
    assert (dearer.version, dearer.price.amount, dearer.description) == (4, 1399, EMMA.description)
    assert (renamed.version, renamed.price.amount, renamed.description.title) == (5, 1499, "Emma.")


def test_a_book_stands_at_the_version_that_the_caller_has_seen_or_is_refused() -> None:
    assert EMMA.at(frozenset({2, 3})) is EMMA
    assert EMMA.at(None) is EMMA
    with pytest.raises(VersionMismatch):
        EMMA.at(frozenset({2}))
    with pytest.raises(VersionMismatch):
        EMMA.at(frozenset())


@pytest.mark.parametrize("number", ["9780306406157", "9799001000010", "9799001000034"])
def test_thirteen_digits_from_978_or_979_with_the_right_check_digit_are_an_isbn(number: str) -> None:
    assert is_isbn13(number)


@pytest.mark.parametrize(
    "number",
    ["9780306406158", "4006381333931", "978030640615", "97803064061577", "978-0306406157", "٩780306406157", ""],
)
def test_anything_else_is_none(number: str) -> None:
    assert not is_isbn13(number)
