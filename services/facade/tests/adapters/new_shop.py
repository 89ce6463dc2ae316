"""The new services as the adapters meet them, at the transport: small, in memory, and with the same refusals."""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

import httpx

from facade.shop_clients import Addresses

EXCHANGE_KEY = "an-exchange-key-of-the-tests"
ADDRESSES = Addresses("http://catalog", "http://inventory", "http://orders", "http://identity")
_CARD = re.compile(r"tok_[a-z0-9_]{1,60}")
_PENDING = {"state": "pending", "reason": None}


@dataclass
class Account:
    """A customer of identity."""

    number: int
    email: str
    name: str
    password: str
    id: UUID = field(default_factory=uuid4)


@dataclass
class NewShop:
    """All four services. `down` names those that do not answer, `lost` how many answers to new orders get lost.

    `instead` has other answers for a path. An order is pending for `looks` looks; while `stuck` it stays so until it is
    cancelled.
    """

    now: Callable[[], datetime]
    books: dict[int, dict[str, Any]] = field(default_factory=dict)
    stock: dict[str, int] = field(default_factory=dict)
    accounts: list[Account] = field(default_factory=list)
    orders: list[dict[str, Any]] = field(default_factory=list)
    down: set[str] = field(default_factory=set)
    asked: list[httpx.Request] = field(default_factory=list)
    instead: dict[str, Callable[[], httpx.Response]] = field(default_factory=dict)
    lost: int = 0
    looks: int = 1
    stuck: bool = False
    throttled: bool = False
    expires_in: int = 600
    _keys: dict[str, dict[str, Any]] = field(default_factory=dict)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        service = request.url.host
        if service in self.down:
            raise httpx.ConnectError("refused")
        if (instead := self.instead.get(request.url.path)) is not None:
            return instead()
        for method, pattern, answer in _ROUTES:
            match = re.fullmatch(pattern, request.url.path)
            if method == request.method and match is not None:
                return answer(self, request, *match.groups())
        return _problem(404, "not-found")

    def calls(self, method: str, path: str) -> list[httpx.Request]:
        """What was asked of one route."""
        return [each for each in self.asked if each.method == method and each.url.path == path]

    def _numbered(self, request: httpx.Request) -> httpx.Response:
        after, limit = (int(request.url.params[name]) for name in ("after", "limit"))
        words = request.url.params.get("contains", "").lower()
        found = [
            book
            for number, book in sorted(self.books.items())
            if number > after and (words in book["title"].lower() or words in book["author"].lower())
        ]
        return httpx.Response(200, json={"items": found[:limit], "more": len(found) > limit})

    def _book(self, _: httpx.Request, number: str) -> httpx.Response:
        book = self.books.get(int(number))
        return _problem(404, "not-found") if book is None else httpx.Response(200, json=book)

    def _prices(self, request: httpx.Request) -> httpx.Response:
        isbns = request.url.params.get_list("isbn")
        if not 1 <= len(isbns) <= 50:
            return _problem(422, "unprocessable")
        keys = ("isbn", "number", "title", "price", "version")
        found = [{key: book[key] for key in keys} for book in self.books.values() if book["isbn"] in isbns]
        return httpx.Response(200, json={"items": found})

    def _stock(self, request: httpx.Request) -> httpx.Response:
        isbns = request.url.params.get_list("isbn")
        if not 1 <= len(isbns) <= 50:
            return _problem(422, "unprocessable")
        found = [{"isbn": isbn, "available": self.stock[isbn]} for isbn in isbns if isbn in self.stock]
        return httpx.Response(200, json={"items": found})

    def _place(self, request: httpx.Request) -> httpx.Response:
        customer, body = self._caller(request), json.loads(request.content)
        if customer is None or not _CARD.fullmatch(body["card_token"]):
            return _problem(401 if customer is None else 422, "?")
        key = request.headers["Idempotency-Key"]
        order = self._keys.get(key)
        if order is None:
            order = self._keys[key] = self._accept(customer, body)
        if self.lost > 0:
            self.lost -= 1
            raise httpx.ReadError("cut off")
        return httpx.Response(202, json=_view(order) | _PENDING)

    def _accept(self, customer: Account, body: Mapping[str, Any]) -> dict[str, Any]:
        lines, total = self._priced(body["lines"])
        number = 1 + max((order["number"] for order in self.orders), default=0)
        order = {
            "id": str(uuid4()),
            "number": number,
            "customer": customer.number,
            "lines": lines,
            "total": total,
            "placed_at": self.now().isoformat(),
            "looks": self.looks,
            **self._ending(lines, body["card_token"]),
        }
        self.orders.append(order)
        return order

    def _ending(self, lines: list[dict[str, Any]], card: str) -> dict[str, Any]:
        if self.stuck:
            return dict(_PENDING)
        if any(self.stock.get(line["isbn"], 0) < line["quantity"] for line in lines):
            return {"state": "cancelled", "reason": "out-of-stock"}
        if card != "tok_ok":
            return {"state": "cancelled", "reason": "insufficient_funds" if card == "tok_declined" else "unknown_card"}
        for line in lines:
            self.stock[line["isbn"]] -= line["quantity"]
        return {"state": "confirmed", "reason": None}

    def _priced(self, wishes: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], dict[str, Any]]:
        known = {book["isbn"]: book for book in self.books.values()}
        lines = [
            {**wish, "title": known[wish["isbn"]]["title"], "unit_price": known[wish["isbn"]]["price"]}
            for wish in wishes
        ]
        amount = sum(line["quantity"] * line["unit_price"]["amount"] for line in lines)
        return lines, {"amount": amount, "currency": "EUR"}

    def _quote(self, request: httpx.Request) -> httpx.Response:
        if self._caller(request) is None:
            return _problem(401, "unauthenticated")
        lines, total = self._priced(json.loads(request.content)["lines"])
        return httpx.Response(200, json={"lines": lines, "total": total})

    def _order(self, request: httpx.Request, order_id: str) -> httpx.Response:
        found = [order for order in self._own(request) if order["id"] == order_id]
        if not found:
            return _problem(404, "not-found")
        found[0]["looks"] -= 1
        pending = _PENDING if found[0]["looks"] > 0 else {}
        return httpx.Response(200, json=_view(found[0]) | pending)

    def _by_number(self, request: httpx.Request, number: str) -> httpx.Response:
        found = [order for order in self._own(request) if order["number"] == int(number)]
        return httpx.Response(200, json=_view(found[0])) if found else _problem(404, "not-found")

    def _ended(self, request: httpx.Request) -> httpx.Response:
        ended = [order for order in self._own(request) if order["state"] in ("confirmed", "cancelled")]
        ended.sort(key=lambda order: order["number"], reverse=True)
        limit = int(request.url.params["limit"])
        return httpx.Response(200, json={"items": [_view(order) for order in ended[:limit]]})

    def _cancel(self, request: httpx.Request, order_id: str) -> httpx.Response:
        for order in self._own(request):
            if order["id"] == order_id:
                order |= {"state": "cancelled", "reason": "cancelled by the customer"}
                return httpx.Response(202, json=_view(order))
        return _problem(404, "not-found")

    def _own(self, request: httpx.Request) -> Iterator[dict[str, Any]]:
        customer = self._caller(request)
        return (order for order in self.orders if customer is not None and order["customer"] == customer.number)

    def _caller(self, request: httpx.Request) -> Account | None:
        sent = request.headers.get("Authorization", "")
        return next((account for account in self.accounts if sent == f"Bearer token-of-{account.number}"), None)

    def _token(self, account: Account) -> dict[str, Any]:
        return {"access_token": f"token-of-{account.number}", "token_type": "Bearer", "expires_in": self.expires_in}

    def _log_in(self, request: httpx.Request) -> httpx.Response:
        if self.throttled:
            return _problem(429, "login-throttled")
        sent = json.loads(request.content)
        for account in self.accounts:
            if (account.email, account.password) == (sent["email"], sent["password"]):
                return httpx.Response(200, json=self._token(account))
        return _problem(401, "invalid-credentials")

    def _exchange(self, request: httpx.Request) -> httpx.Response:
        if request.headers["Authorization"] != f"Bearer {EXCHANGE_KEY}":
            return _problem(401, "unauthenticated")
        for account in self.accounts:
            if account.number == json.loads(request.content)["customer_number"]:
                return httpx.Response(200, json=self._token(account) | {"customer_id": str(account.id)})
        return _problem(404, "not-found")

    def _me(self, request: httpx.Request) -> httpx.Response:
        account = self._caller(request)
        if account is None:
            return _problem(401, "unauthenticated")
        own = {"id": str(account.id), "number": account.number, "email": account.email, "name": account.name}
        return httpx.Response(200, json=own | {"roles": ["customer"]})

    def _register(self, request: httpx.Request) -> httpx.Response:
        sent = json.loads(request.content)
        if len(sent["password"]) < 10:
            return _problem(422, "unprocessable")
        if any(account.email == sent["email"] for account in self.accounts):
            return _problem(409, "email-taken")
        number = 1 + max((account.number for account in self.accounts), default=0)
        self.accounts.append(Account(number, sent["email"], sent["name"], sent["password"]))
        return httpx.Response(201, json={"id": str(self.accounts[-1].id), "email": sent["email"], "name": sent["name"]})


def _view(order: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in order.items() if key not in ("looks", "customer")}


def _problem(status: int, slug: str) -> httpx.Response:
    return httpx.Response(status, json={"type": f"urn:banyan:problem:{slug}", "status": status})


_ROUTES: tuple[tuple[str, str, Callable[..., httpx.Response]], ...] = (
    ("GET", "/api/catalog/numbers", NewShop._numbered),
    ("GET", "/api/catalog/numbers/([0-9]+)", NewShop._book),
    ("GET", "/api/catalog/prices", NewShop._prices),
    ("GET", "/api/inventory/stock", NewShop._stock),
    ("POST", "/api/orders", NewShop._place),
    ("GET", "/api/orders/by-number", NewShop._ended),
    ("POST", "/api/orders/quotes", NewShop._quote),
    ("GET", "/api/orders/by-number/([0-9]+)", NewShop._by_number),
    ("GET", "/api/orders/([0-9a-f-]{36})", NewShop._order),
    ("POST", "/api/orders/([0-9a-f-]{36})/cancellation", NewShop._cancel),
    ("POST", "/api/identity/tokens", NewShop._log_in),
    ("POST", "/api/identity/exchanges", NewShop._exchange),
    ("GET", "/api/identity/me", NewShop._me),
    ("POST", "/api/identity/customers", NewShop._register),
)
