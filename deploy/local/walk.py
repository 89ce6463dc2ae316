"""The first customer: registers, searches, orders, waits until the order is confirmed, and reads it back."""

import asyncio
import secrets
import time
import uuid
from collections.abc import Callable, Mapping
from typing import Any

from deploy.local.screen import RunError, Screen
from deploy.local.shop import Shop

SECONDS = 20.0


async def walk(url: str, screen: Screen, search: str = "Austen") -> str:
    """Walk one customer through the shop by its public API; returns the order's id."""
    async with Shop(url) as shop:
        email, password = f"reader-{secrets.token_hex(4)}@example.com", secrets.token_urlsafe(12)
        with screen.step("register") as step:
            customer = await shop.call(
                "POST",
                "/api/identity/customers",
                json={"email": email, "password": password, "name": "First Reader"},
            )
            step.detail = f"customer {customer['id']} ({email})"
        with screen.step("log in") as step:
            await shop.login(email, password)
            step.detail = "a token for 10 minutes"
        book = await _find(shop, screen, search)
        return await _buy(shop, screen, book)


async def _find(shop: Shop, screen: Screen, search: str) -> Mapping[str, Any]:
    with screen.step(f"search “{search}”") as step:
        page = await shop.call("GET", "/api/catalog/books", params={"q": search, "limit": 5})
        if not page["items"]:
            raise RunError(f"the catalogue finds no book for {search!r}")
        book: Mapping[str, Any] = page["items"][0]
        step.detail = f"{len(page['items'])} books, the first: {book['title']}, {money(book['price'])}"
    return book


async def _buy(shop: Shop, screen: Screen, book: Mapping[str, Any]) -> str:
    with screen.step("order two of it") as step:
        order = await shop.call(
            "POST",
            "/api/orders",
            json={"lines": [{"isbn": book["isbn"], "quantity": 2}], "card_token": "tok_ok"},
            headers={"Idempotency-Key": str(uuid.uuid4())},
        )
        step.detail = f"order {order['id']} is {order['state']}"
    path = f"/api/orders/{order['id']}"
    with screen.step("wait for the saga") as step:
        order = await _final(lambda: shop.call("GET", path))
        if order["state"] != "confirmed":
            raise RunError(f"the order ended {order['state']}: {order['reason']}", "make logs SERVICE=orders")
        step.detail = f"confirmed, {money(order['total'])} charged"
    with screen.step("read it back") as step:
        step.detail = _steps(await shop.call("GET", f"{path}/history"))
    return str(order["id"])


async def _final(read: Callable[[], Any]) -> Mapping[str, Any]:
    limit = time.monotonic() + SECONDS
    while True:
        order: Mapping[str, Any] = await read()
        if order["state"] in ("confirmed", "cancelled"):
            return order
        if time.monotonic() > limit:
            raise RunError(
                f"the order is still {order['state']} after {SECONDS:.0f} s",
                "make status, make logs SERVICE=orders",
            )
        await asyncio.sleep(0.1)


def _steps(history: Mapping[str, Any]) -> str:
    return " → ".join(str(entry["event"]) for entry in history["items"])


def money(price: Mapping[str, Any]) -> str:
    """`{amount: 1299, currency: "EUR"}` as people write it."""
    return f"{price['amount'] / 100:.2f} {price['currency']}"
