"""Orders over HTTP, with real PostgreSQL and NATS behind it."""

import asyncio
from typing import Any
from uuid import UUID, uuid4

import pytest

CUSTOMER = UUID("01957c3e-0f00-7000-8000-0000000000c1")
SOMEBODY_ELSE = UUID("01957c3e-0f00-7000-8000-0000000000c2")


async def test_a_placed_order_is_pending_and_can_be_read_where_location_says(shop: Any) -> None:
    answer = await shop.place(CUSTOMER)
    assert answer.status_code == 202
    read = await shop.client.get(answer.headers["location"], headers=shop.headers(CUSTOMER))
    assert read.json() == answer.json()
    assert read.json()["state"] == "pending"
    assert read.json()["total"] == {"amount": 2598, "currency": "EUR"}
    assert read.json()["price_source"] == "catalog"


async def test_the_same_key_and_body_place_one_order(shop: Any) -> None:
    first = await shop.place(CUSTOMER, "key-1")
    second = await shop.place(CUSTOMER, "key-1")
    assert (second.status_code, second.content) == (first.status_code, first.content)
    assert second.headers["location"] == first.headers["location"]
    listed = await shop.client.get("/api/orders", headers=shop.headers(CUSTOMER))
    assert len(listed.json()["items"]) == 1


async def test_ten_requests_at_once_with_one_key_place_one_order(shop: Any) -> None:
    answers = await asyncio.gather(*(shop.place(CUSTOMER, "key-1") for _ in range(10)))
    assert {answer.status_code for answer in answers} <= {202, 409}
    listed = await shop.client.get("/api/orders", headers=shop.headers(CUSTOMER))
    assert len(listed.json()["items"]) == 1


async def test_a_key_with_another_body_is_refused_and_changes_nothing(shop: Any) -> None:
    await shop.place(CUSTOMER, "key-1")
    answer = await shop.place(CUSTOMER, "key-1", card_token="tok_other")
    assert answer.status_code == 422
    assert answer.json()["type"] == "urn:banyan:problem:idempotency-key-reused"


async def test_two_customers_may_choose_the_same_key(shop: Any) -> None:
    first = await shop.place(CUSTOMER, "key-1")
    second = await shop.place(SOMEBODY_ELSE, "key-1")
    assert first.json()["id"] != second.json()["id"]


async def test_a_refused_order_gives_its_key_back(shop: Any) -> None:
    refused = await shop.place(CUSTOMER, "key-1", lines=[{"isbn": "9781999900106", "quantity": 1}])
    assert refused.json()["type"] == "urn:banyan:problem:unknown-book"
    assert (await shop.place(CUSTOMER, "key-1")).status_code == 202


@pytest.mark.parametrize(
    "body",
    [
        {"lines": [{"isbn": "9781999900007", "quantity": 0}]},
        {"lines": [{"isbn": "9781999900007", "quantity": -1}]},
        {"lines": [{"isbn": "9781999900007", "quantity": "2"}]},
        {"lines": [{"isbn": "9781999900008", "quantity": 1}]},
        {"lines": []},
        {"lines": [{"isbn": "9781999900007", "quantity": 1}] * 2},
        {"card_token": "4111111111111111"},
        {"discount": 100},
    ],
)
async def test_what_does_not_fit_the_contract_is_refused_and_changes_nothing(shop: Any, body: dict[str, Any]) -> None:
    answer = await shop.place(CUSTOMER, **body)
    assert answer.status_code == 422
    assert answer.json()["type"] == "urn:banyan:problem:unprocessable"
    listed = await shop.client.get("/api/orders", headers=shop.headers(CUSTOMER))
    assert listed.json()["items"] == []


async def test_an_order_of_somebody_else_does_not_exist(shop: Any) -> None:
    location = (await shop.place(CUSTOMER)).headers["location"]
    headers = shop.headers(SOMEBODY_ELSE)
    answers = [
        await shop.client.get(location, headers=headers),
        await shop.client.get(f"{location}/history", headers=headers),
        await shop.client.post(f"{location}/cancellation", headers=headers),
    ]
    assert [answer.status_code for answer in answers] == [404, 404, 404]
    assert (await shop.client.get(location, headers=shop.headers(uuid4(), None, "operator"))).status_code == 200


async def test_without_a_token_nothing_is_told(shop: Any) -> None:
    answer = await shop.client.get(f"/api/orders/{uuid4()}")
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"


async def test_pages_of_a_list_have_neither_gaps_nor_repetitions(shop: Any) -> None:
    placed = [(await shop.place(CUSTOMER)).json()["id"] for _ in range(5)]
    seen: list[str] = []
    cursor: str | None = None
    while len(seen) < 5:
        params = {"limit": 2, **({"cursor": cursor} if cursor else {})}
        page = (await shop.client.get("/api/orders", params=params, headers=shop.headers(CUSTOMER))).json()
        seen += [item["id"] for item in page["items"]]
        cursor = page["next_cursor"]
    assert seen == placed[::-1]
    assert cursor is None


async def test_a_cursor_of_ones_own_making_is_refused(shop: Any) -> None:
    for cursor in ("!!", "WzEsIngiXQ"):
        answer = await shop.client.get(f"/api/orders?cursor={cursor}", headers=shop.headers(CUSTOMER))
        assert answer.json()["type"] == "urn:banyan:problem:unprocessable"


async def test_cancelling_twice_is_as_good_as_once(shop: Any) -> None:
    location = (await shop.place(CUSTOMER)).headers["location"]
    first = await shop.client.post(f"{location}/cancellation", headers=shop.headers(CUSTOMER))
    second = await shop.client.post(f"{location}/cancellation", headers=shop.headers(CUSTOMER))
    assert (first.status_code, second.status_code) == (202, 202)
    assert second.json() == first.json()
    assert first.json()["state"] == "cancelling"


async def test_without_catalog_and_without_a_price_heard_no_order_is_taken(shop: Any) -> None:
    shop.catalog.down = True
    answer = await shop.place(CUSTOMER)
    assert answer.status_code == 503
    assert answer.json()["type"] == "urn:banyan:problem:upstream-unavailable"
    assert "retry-after" in answer.headers
