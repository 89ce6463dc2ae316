"""The dry run of orders that the old shop has taken: equal where both sides think alike, different where not."""

from urllib.parse import urlencode

import pytest

from facade.legacy_http import LegacyRequest
from facade.ports import CannotAnswer
from services.facade.tests.adapters.both_shops import BothShops, cookie, form_type
from services.facade.tests.adapters.test_golden import ANN, basic

ORDER = b'{"items": [{"id": 12, "qty": 1}, {"id": 3, "qty": 2}], "card": "tok_ok"}'
API = LegacyRequest("POST", "/legacy/api/orders", headers=(basic(),), body=ORDER)
PURCHASE = LegacyRequest(
    "POST",
    "/legacy/checkout",
    headers=(*cookie({**ANN, "basket": {"12": 1, "3": 2}}), form_type()),
    body=urlencode({"csrf": ANN["csrf"], "card": "tok_ok"}).encode(),
)
both_ways = pytest.mark.parametrize("request_", [API, PURCHASE], ids=["api", "page"])


@both_ways
async def test_an_order_is_quoted_as_it_was_taken(both: BothShops, request_: LegacyRequest) -> None:
    quoted = await both.new.adapters.quotes.quote(request_, await both.old.answer(request_))
    assert quoted is not None
    legacy, modern = quoted
    assert legacy == modern
    assert len(legacy["items"]) == 2
    assert both.shop.calls("POST", "/api/orders") == []
    assert both.shop.orders == []


@both_ways
async def test_another_price_on_the_new_side_is_seen(both: BothShops, request_: LegacyRequest) -> None:
    both.shop.books[3]["price"]["amount"] += 1
    quoted = await both.new.adapters.quotes.quote(request_, await both.old.answer(request_))
    assert quoted is not None
    assert quoted[0]["total"] != quoted[1]["total"]


@both_ways
async def test_a_book_that_the_new_side_does_not_have_is_seen(both: BothShops, request_: LegacyRequest) -> None:
    del both.shop.books[3]
    quoted = await both.new.adapters.quotes.quote(request_, await both.old.answer(request_))
    assert quoted is not None
    assert quoted[1] == {"error": "no such product 3"}


async def test_an_order_that_the_card_refused_is_quoted_too(both: BothShops) -> None:
    declined = LegacyRequest(API.method, API.path, headers=API.headers, body=ORDER.replace(b"tok_ok", b"tok_declined"))
    quoted = await both.new.adapters.quotes.quote(declined, await both.old.answer(declined))
    assert quoted is not None
    assert quoted[0] == quoted[1]


async def test_what_took_no_order_has_no_quote(both: BothShops) -> None:
    for request in (
        LegacyRequest(API.method, API.path, headers=API.headers, body=b"{}"),
        LegacyRequest(API.method, API.path, body=ORDER),
        LegacyRequest(PURCHASE.method, PURCHASE.path, headers=PURCHASE.headers),
        LegacyRequest(PURCHASE.method, PURCHASE.path, headers=PURCHASE.headers, body=PURCHASE.body + b"x"),
    ):
        assert await both.new.adapters.quotes.quote(request, await both.old.answer(request)) is None


async def test_orders_that_is_down_gives_no_quote(both: BothShops) -> None:
    answer = await both.old.answer(API)
    both.shop.down.add("orders")
    with pytest.raises(CannotAnswer):
        await both.new.adapters.quotes.quote(API, answer)
