"""A customer at work: logs in, looks round, orders, repeats, cancels, and reads what has come of it."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from tests.traffic.api import Answer, Api, Request, Unexpected
from tests.traffic.plan import Duplicate, Title, Visit

PAGE = 100
FINAL = frozenset({"confirmed", "cancelled"})
FOLLOW_SECONDS = 60.0


@dataclass(frozen=True)
class PlacedOrder:
    """An order as its customer's list shows it."""

    id: str
    state: str
    reason: str | None
    total: int
    seconds: float
    updated_at: float

    @classmethod
    def of(cls, order: Any) -> "PlacedOrder":
        placed, updated = (datetime.fromisoformat(order[name]).timestamp() for name in ("placed_at", "updated_at"))
        total = order["total"]["amount"]
        return cls(order["id"], order["state"], order["reason"], total, updated - placed, updated)


@dataclass
class Shopper:
    """One registered customer. `accepted` are the orders that the shop has said yes to, `in_doubt` counts those that
    it gave no final answer for."""

    api: Api
    email: str
    password: str
    key_prefix: str
    accepted: set[str] = field(default_factory=set)
    in_doubt: int = 0
    _token: str = ""
    _refresh_at: float = 0.0
    _login: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def register(self) -> None:
        """Become a customer; a 409 says that an earlier try has got through."""
        body = {"email": self.email, "password": self.password, "name": "A Reader"}
        await self.api.call(Request("register", "POST", "/api/identity/customers", body=body), 201, 409)
        await self._fresh_token()

    async def visit(self, visit: Visit, follow: bool = False) -> None:
        """Everything that the visit plans. With `follow`, waits until the order is final."""
        for text in visit.searches:
            await self._search(text)
        if "book" in visit.reads:
            await self._read_book(visit.lines[0][0])
        started = time.perf_counter()
        order = await self._place(visit)
        if visit.cancels:
            await self._call("cancel", "POST", f"/api/orders/{order}/cancellation", 202, 409)
        if follow:
            await self._follow(order, started)
        await self._look_back(visit, order)

    async def orders(self) -> list[PlacedOrder]:
        """All orders of the customer, newest first."""
        found = await _all_pages(lambda query: self._call("list all", "GET", "/api/orders", 200, query=query), self.api)
        return [PlacedOrder.of(order) for order in found]

    async def _search(self, text: str) -> None:
        found = await self._call("search", "GET", "/api/catalog/books", 200, query={"q": text})
        if not found.body["items"]:
            self.api.tally.notes["searches that found nothing"] += 1

    async def _read_book(self, isbn: str) -> None:
        path = f"/api/catalog/books/{isbn}"
        book = await self._call("read book", "GET", path, 200)
        if book.etag is not None:
            await self._call("read book", "GET", path, 200, 304, headers={"If-None-Match": book.etag})

    async def _place(self, visit: Visit) -> str:
        """The order's id; however often the order was sent, there is one."""
        try:
            if visit.duplicate is Duplicate.MEANWHILE:
                answers = list(await asyncio.gather(self._send_order(visit), self._send_order(visit)))
            else:
                answers = [await self._send_order(visit)]
                if visit.duplicate is Duplicate.AFTER:
                    answers.append(await self._send_order(visit))
        except Unexpected:
            self.in_doubt += 1
            raise
        ids = {str(answer.body["id"]) for answer in answers}
        self.accepted |= ids
        if len(ids) > 1:
            self.api.tally.unexpected("one key, two orders", f"{self.key_prefix}-{visit.number}: {sorted(ids)}")
        return str(answers[0].body["id"])

    async def _send_order(self, visit: Visit) -> Answer:
        lines = [{"isbn": isbn, "quantity": quantity} for isbn, quantity in visit.lines]
        body = {"lines": lines, "card_token": visit.card}
        headers = {"Idempotency-Key": f"{self.key_prefix}-{visit.number}"}
        return await self._call("place", "POST", "/api/orders", 202, body=body, headers=headers)

    async def _follow(self, order: str, started: float) -> None:
        pause, limit = 0.02, time.monotonic() + FOLLOW_SECONDS
        while time.monotonic() < limit:
            answer = await self._call("poll", "GET", f"/api/orders/{order}", 200)
            if answer.body["state"] in FINAL:
                self.api.tally.latencies["place until seen final"].append(time.perf_counter() - started)
                return
            await asyncio.sleep(pause)
            pause = min(pause * 1.5, 0.2)

    async def _look_back(self, visit: Visit, order: str) -> None:
        if "order" in visit.reads:
            await self._call("read order", "GET", f"/api/orders/{order}", 200)
        if "history" in visit.reads:
            await self._call("read history", "GET", f"/api/orders/{order}/history", 200)
        if "list" in visit.reads:
            await self._call("list", "GET", "/api/orders", 200, query={"limit": "10"})

    async def _call(self, operation: str, method: str, path: str, *expected: int, **parts: Any) -> Answer:
        token = await self._fresh_token()
        return await self.api.call(Request(operation, method, path, token=token, **parts), *expected)

    async def _fresh_token(self) -> str:
        """The access token, a new one when four fifths of its life are over."""
        if time.monotonic() < self._refresh_at:
            return self._token
        async with self._login:
            if time.monotonic() >= self._refresh_at:
                body = {"email": self.email, "password": self.password}
                answer = await self.api.call(Request("log in", "POST", "/api/identity/tokens", body=body), 200)
                self._token = answer.body["access_token"]
                self._refresh_at = time.monotonic() + 0.8 * answer.body["expires_in"]
        return self._token


async def browse(api: Api) -> list[Title]:
    """The whole catalogue."""
    books = await _all_pages(
        lambda query: api.call(Request("browse", "GET", "/api/catalog/books", query=query), 200), api
    )
    return [Title(book["isbn"], book["title"], book["author"]) for book in books]


async def _all_pages(read: Callable[[dict[str, str]], Awaitable[Answer]], api: Api) -> list[Any]:
    """The items of all pages; raises `Unexpected` for a list that leads back to where it was."""
    items: list[Any] = []
    query, seen = {"limit": str(PAGE)}, set[str]()
    while True:
        page = (await read(query)).body
        items += page["items"]
        if page["next_cursor"] is None:
            return items
        query["cursor"] = page["next_cursor"]
        if query["cursor"] in seen:
            api.tally.unexpected("a list runs in circles", query["cursor"])
            raise Unexpected("a list runs in circles")
        seen.add(query["cursor"])
