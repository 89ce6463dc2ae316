"""Quotes: an order's price, without the order."""

from typing import Any
from uuid import UUID

CUSTOMER = UUID("01957c3e-0f00-7000-8000-0000000000c1")
LINES = [{"isbn": "9781999900007", "quantity": 2}, {"isbn": "9781999900014", "quantity": 1}]


async def quote(shop: Any, *lines: Any) -> Any:
    return await shop.client.post("/api/orders/quotes", json={"lines": lines}, headers=shop.headers(CUSTOMER))


async def test_a_quote_says_what_the_order_would_cost(shop: Any) -> None:
    told = await quote(shop, *LINES)
    order = (await shop.place(CUSTOMER, lines=LINES)).json()
    assert told.status_code == 200
    assert told.json() == {"lines": order["lines"], "total": order["total"]}


async def test_a_quote_leaves_nothing_behind(shop: Any) -> None:
    await quote(shop, *LINES)
    listed = await shop.client.get("/api/orders", headers=shop.headers(CUSTOMER))
    assert listed.json()["items"] == []


async def test_an_unknown_book_has_no_quote(shop: Any) -> None:
    answer = await quote(shop, {"isbn": "9781999900106", "quantity": 1})
    assert answer.status_code == 422
    assert answer.json()["type"] == "urn:banyan:problem:unknown-book"


async def test_without_a_token_there_is_no_quote(shop: Any) -> None:
    assert (await shop.client.post("/api/orders/quotes", json={"lines": LINES})).status_code == 401
