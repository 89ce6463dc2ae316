"""The shelves: real titles of the public domain under a fictional imprint's ISBNs."""

from collections import Counter

from deploy.local.seed import Book, read_books

BOOKS = read_books()


def _check_digit(isbn: str) -> int:
    total = sum(int(digit) * (3 if place % 2 else 1) for place, digit in enumerate(isbn[:12]))
    return -total % 10


def test_there_are_enough_books_to_browse() -> None:
    assert len(BOOKS) >= 220


def test_every_isbn_has_thirteen_digits_and_the_right_check_digit() -> None:
    wrong = [
        b.isbn for b in BOOKS if len(b.isbn) != 13 or not b.isbn.isdigit() or int(b.isbn[12]) != _check_digit(b.isbn)
    ]
    assert not wrong


def test_every_isbn_is_of_the_fictional_imprint() -> None:
    # 979-9 is no group that the ISBN agency has given out, so none of them can be somebody's book.
    assert {book.isbn[:7] for book in BOOKS} == {"9799001"}


def test_no_isbn_and_no_title_of_an_author_is_there_twice() -> None:
    assert len({book.isbn for book in BOOKS}) == len(BOOKS)
    assert len({(book.title, book.author) for book in BOOKS}) == len(BOOKS)


def test_every_book_appeared_before_1928() -> None:
    assert all(1450 < book.year < 1928 for book in BOOKS)


def test_prices_and_stock_are_those_of_a_bookshop() -> None:
    assert all(499 <= book.price_minor <= 3999 and 500 <= book.stock <= 5000 for book in BOOKS)


def test_no_author_fills_the_shelves_alone() -> None:
    def author(book: Book) -> str:
        return book.author

    ((_, most),) = Counter(map(author, BOOKS)).most_common(1)
    assert most <= 8
    assert len(set(map(author, BOOKS))) > 150
