"""Seeding asks what is there first, and takes a busy shop's no for a later."""

import re

import httpx
import pytest

from deploy.local.screen import RunError
from deploy.local.seed import read_books, seed
from deploy.local.shop import Shop

BOOKS = read_books()[:40]


class FakeShop(httpx.AsyncBaseTransport):
    """Keeps books and stock in memory; answers the first request to each path with `busy`, if that is set."""

    def __init__(self, busy: int | None = None) -> None:
        self.books: dict[str, int] = {}
        self.stock: dict[str, int] = {}
        self.writes: list[str] = []
        self._busy = busy
        self._seen: set[str] = set()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path
        if self._busy is not None and path not in self._seen:
            self._seen.add(path)
            return httpx.Response(self._busy, headers={"Retry-After": "0"})
        return self._page(request) if request.method == "GET" else self._write(path)

    def _page(self, request: httpx.Request) -> httpx.Response:
        start, isbns = int(request.url.params.get("cursor", 0)), sorted(self.books)
        following = start + 25
        cursor = str(following) if following < len(isbns) else None
        return httpx.Response(
            200, json={"items": [{"isbn": isbn} for isbn in isbns[start:following]], "next_cursor": cursor}
        )

    def _write(self, path: str) -> httpx.Response:
        (isbn,) = re.findall(r"\d{13}", path)
        self.writes.append(path)
        if path.endswith("/receipts"):
            self.stock[isbn] = self.stock.get(isbn, 0) + 1
            return httpx.Response(201, json={})
        assert isbn in self.stock, "a book is listed before its stock is in"
        known = isbn in self.books
        self.books[isbn] = self.books.get(isbn, 0) + 1
        return httpx.Response(412 if known else 201, json={})


async def _seed(fake: FakeShop) -> int:
    async with Shop("http://shop", fake) as shop:
        return await seed(shop, BOOKS, lambda _done, _total: None)


async def test_every_book_is_received_once_and_listed_once() -> None:
    fake = FakeShop()
    assert await _seed(fake) == len(BOOKS)
    assert fake.stock == fake.books == {book.isbn: 1 for book in BOOKS}


async def test_a_second_time_nothing_is_written() -> None:
    fake = FakeShop()
    await _seed(fake)
    fake.writes.clear()
    assert await _seed(fake) == 0
    assert not fake.writes


async def test_an_interrupted_seeding_is_finished_by_the_next() -> None:
    fake = FakeShop()
    fake.books = {book.isbn: 1 for book in BOOKS[:30]}
    fake.stock = dict(fake.books)
    assert await _seed(fake) == 10
    assert fake.stock == fake.books == {book.isbn: 1 for book in BOOKS}


async def test_a_busy_shop_is_asked_again() -> None:
    fake = FakeShop(busy=429)
    assert await _seed(fake) == len(BOOKS)
    assert fake.stock == {book.isbn: 1 for book in BOOKS}


async def test_one_refused_book_ends_the_seeding_with_what_was_said() -> None:
    class Refusing(FakeShop):
        def _write(self, path: str) -> httpx.Response:
            return httpx.Response(403, text="operators only")

    with pytest.raises(RunError, match="was answered 403: operators only"):
        await _seed(Refusing())


async def test_a_refusal_ends_the_seeding_with_what_was_said() -> None:
    fake = FakeShop(busy=403)
    with pytest.raises(RunError, match="GET /api/catalog/books was answered 403"):
        await _seed(fake)
