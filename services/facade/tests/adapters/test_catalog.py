"""The catalogue's adapter where the new services differ from the old shop: they can be down, and one can be wrong."""

from dataclasses import replace

import pytest

from facade.adapters.catalog import PRICE_ROUNDING, CatalogAdapter, Shelves
from facade.adapters.pages import Pages
from facade.adapters.session import Sessions
from facade.legacy_http import LegacyRequest
from facade.ports import CannotAnswer
from facade.shop_clients import ShopClients
from services.facade.tests.adapters.both_shops import SESSION_KEY, Noted, body
from services.facade.tests.adapters.new_shop import NewShop

BOOK = LegacyRequest("GET", "/legacy/api/products/1")
LIST = LegacyRequest("GET", "/legacy/api/products")


@pytest.fixture
def adapter(clients: ShopClients, noted: Noted) -> CatalogAdapter:
    return CatalogAdapter(Shelves(clients.catalog, clients.inventory, noted), Pages(Sessions(SESSION_KEY)))


@pytest.mark.parametrize("service", ["catalog", "inventory"])
@pytest.mark.parametrize("path", ["/legacy/", "/legacy/book/1", "/legacy/api/products", "/legacy/api/products/1"])
async def test_without_a_service_there_is_no_answer_rather_than_half_of_one(
    shop: NewShop, adapter: CatalogAdapter, service: str, path: str
) -> None:
    shop.down.add(service)
    with pytest.raises(CannotAnswer):
        await adapter.answer(LegacyRequest("GET", path))


async def test_a_book_that_inventory_never_had_is_sold_out(shop: NewShop, adapter: CatalogAdapter) -> None:
    shop.stock.clear()
    assert body(await adapter.answer(BOOK))["product"]["avail"] == "N"


async def test_a_long_list_asks_for_no_more_stock_at_once_than_it_may(shop: NewShop, adapter: CatalogAdapter) -> None:
    answer = await adapter.answer(replace(LIST, query="count=100"))
    assert len(body(answer)["products"]) == 100
    assert [len(each.url.params.get_list("isbn")) for each in shop.calls("GET", "/api/inventory/stock")] == [50, 50]


async def test_the_seeded_bug_rounds_prices_while_it_is_switched_on(adapter: CatalogAdapter, noted: Noted) -> None:
    assert body(await adapter.answer(BOOK))["product"]["price"] == "24.99"
    noted.bug = PRICE_ROUNDING
    assert body(await adapter.answer(BOOK))["product"]["price"] == "25.00"
    assert b"25.00" in (await adapter.answer(LegacyRequest("GET", "/legacy/"))).body
    noted.bug = None
    assert body(await adapter.answer(BOOK))["product"]["price"] == "24.99"


async def test_a_price_in_another_currency_cannot_be_said_in_the_old_contract(
    shop: NewShop, adapter: CatalogAdapter
) -> None:
    shop.books[1]["price"] = {"amount": 2499, "currency": "USD"}
    with pytest.raises(CannotAnswer):
        await adapter.answer(BOOK)
