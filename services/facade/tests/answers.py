"""Answers of the old shop, made up; and sides that give them."""

import asyncio
import html
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from facade.comparison import Difference, compare_answers
from facade.domain import Capability, Side, Standing
from facade.legacy_http import Headers, LegacyRequest, LegacyResponse
from facade.ports import CannotAnswer, Mismatch

JSON: Headers = (("Content-Type", "application/json"), ("Date", "Tue, 24 Nov 2026 16:00:00 GMT"))
HTML: Headers = (("Content-Type", "text/html; charset=utf-8"), ("Cache-Control", "no-store, private"))
Values = dict[str, Any]


def product(number: int, **other: Any) -> Values:
    """A book as `GET /legacy/api/products` lists it."""
    made = {
        "id": number,
        "isbn": f"978{number:010d}",
        "title": f"Émile, {number}. Teil & Co",
        "author": f"{'ZYXWVU'[number % 6]}. Brontë",
        "year": 1700 + number * 7 % 300,
        "price": f"{10 + number * 37 % 40}.{number * 13 % 100:02d}",
        "avail": "Y",
    }
    return {**made, **other}


def products(count: int = 6, **other: Any) -> Values:
    return {"ok": 1, "products": [product(number) for number in range(1, count + 1)], "next": count, **other}


def order(number: int, **other: Any) -> Values:
    """An order as `GET /legacy/api/orders/<id>` shows it."""
    items = [
        {"id": 12, "title": "Emma", "qty": 2, "price": "24.99"},
        {"id": 3, "title": "Zadig", "qty": 1, "price": "9.50"},
    ]
    created = f"24.11.2026 16:05:{number % 60:02d}"
    return {"id": number, "status": "P", "total": "59.48", "created": created, "items": items, **other}


def answer(body: Values, status: int = 200, headers: Headers = JSON) -> LegacyResponse:
    return LegacyResponse(status, headers, json.dumps(body).encode())


def page(
    books: Sequence[Values], csrf: str = "t0", after: int | None = None, headers: Headers = HTML, who: str = ""
) -> LegacyResponse:
    """The list of books, as the old shop draws it."""
    rows = "\n".join(
        f'<tr><td><a href="/legacy/book/{book["id"]}">{html.escape(book["title"])}</a></td>'
        f'<td>{book["author"]}</td><td class="num">{book["price"]}</td>'
        f"<td>{'in stock' if book['avail'] == 'Y' else 'sold out'}</td></tr>"
        for book in books
    )
    following = f'<a href="/legacy/?start={after}">next page &raquo;</a>' if after else ""
    markup = f"""<html><head><title>All books</title><style>p {{ margin: 0 }}</style></head><body>
<form action="/legacy/logout" method="post"><input type="hidden" name="csrf" value="{csrf}" /></form> {who}
<table class="list"><tr><th>Title</th><th>Author</th><th>Price</th><th>&nbsp;</th></tr>{rows}</table>
<p class="paging">{following}</p></body></html>"""
    return LegacyResponse(200, headers, markup.encode())


GET = LegacyRequest("GET", "/legacy/api/products")


class FakeSide:
    """An `Upstream` that answers what it is given: an answer, an error, or what a function makes of the request."""

    def __init__(self, gives: LegacyResponse | Exception | Callable[[LegacyRequest], LegacyResponse]) -> None:
        self.gives = gives
        self.asked: list[LegacyRequest] = []
        self.seconds = 0.0

    async def answer(self, request: LegacyRequest) -> LegacyResponse:
        self.asked.append(request)
        if self.seconds:
            await asyncio.sleep(self.seconds)
        if isinstance(self.gives, Exception):
            raise self.gives
        return self.gives(request) if callable(self.gives) else self.gives


async def compare(legacy: LegacyResponse, modern: LegacyResponse) -> list[Difference]:
    """Without a rest between two comparisons."""
    return compare_answers(legacy, modern)


class FakeQuotes:
    """Quotes what a test says."""

    def __init__(self, pair: tuple[Any, Any] | None = None) -> None:
        self.pair = pair

    async def quote(self, request: LegacyRequest, answer: LegacyResponse) -> tuple[Any, Any] | None:
        return self.pair


@dataclass
class FakeTally:
    """Remembers what it was told."""

    answers: list[Side] = field(default_factory=list)
    failures: list[Side] = field(default_factory=list)
    measures: list[Side] = field(default_factory=list)
    matches: int = 0
    drops: int = 0
    mismatches: list[Mismatch] = field(default_factory=list)

    def answered(self, capability: Capability, side: Side, milliseconds: float) -> None:
        self.answers.append(side)

    def measured(self, capability: Capability, side: Side, milliseconds: float) -> None:
        self.measures.append(side)

    def failed(self, capability: Capability, side: Side) -> None:
        self.failures.append(side)

    def matched(self, capability: Capability) -> None:
        self.matches += 1

    def mismatched(self, capability: Capability, mismatch: Mismatch) -> None:
        self.mismatches.append(mismatch)

    def dropped(self, capability: Capability) -> None:
        self.drops += 1


class FakeStandings:
    """Standings that a test sets."""

    def __init__(self, *standings: Standing) -> None:
        self._standings = {each.capability: each for each in standings}

    def of(self, capability: Capability) -> Standing:
        return self._standings[capability]

    def set(self, standing: Standing) -> None:
        self._standings[standing.capability] = standing


DEAD = CannotAnswer("connection refused")


async def until(condition: Callable[[], bool], seconds: float = 5) -> None:
    """Waits for something that happens by itself."""
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.005)
