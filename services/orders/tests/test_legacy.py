"""Orders of the old shop, taken over from messages as the bridge sends them, over real NATS and PostgreSQL."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa

from chassis.bus import Bus
from chassis.messages import Message
from chassis.storage import Database
from orders.messaging import LEGACY_ORDER_CHANGED
from orders.settings import Settings
from orders.storage.tables import outbox

CUSTOMER = UUID("01957c3e-0f00-7000-8000-0000000000c1")
ORDER = "01957c3e-0f00-7000-8000-000000000001"
EUR_1299 = {"amount": 1299, "currency": "EUR"}
CONFIRMED: Mapping[str, Any] = {
    "order_id": ORDER,
    "number": 7,
    "customer_id": str(CUSTOMER),
    "status": "confirmed",
    "reason": None,
    "lines": [{"isbn": "9781999900007", "title": "Middlemarch", "quantity": 1, "unit_price": EUR_1299}],
    "total": EUR_1299,
    "placed_at": "2019-03-14T09:26:53+00:00",
    "version": 5,
}
CANCELLED = {**CONFIRMED, "status": "cancelled", "reason": "card-declined"}

Tell = Callable[[Mapping[str, Any]], Awaitable[None]]


@pytest.fixture
async def tell(settings: Settings) -> AsyncIterator[Tell]:
    """Publishes an order as the bridge does."""
    bus = Bus(settings, "bridge")
    await bus.start()
    await bus.jetstream()

    async def publish(data: Mapping[str, Any]) -> None:
        message = Message.new(LEGACY_ORDER_CHANGED, data["order_id"], data["version"], data)
        await bus.publish(message.type, str(message.id), message.encode())

    yield publish
    await bus.stop()


async def imported(shop: Any, **expected: Any) -> Any:
    """Poll until order 7 is as expected."""
    headers = shop.headers(CUSTOMER)
    async with asyncio.timeout(15):
        while True:
            answer = await shop.client.get("/api/orders/by-number/7", headers=headers)
            if answer.status_code == 200 and expected.items() <= answer.json().items():
                return answer.json()
            await asyncio.sleep(0.02)


async def history(shop: Any, order: str) -> list[str]:
    answer = await shop.client.get(f"/api/orders/{order}/history", headers=shop.headers(CUSTOMER))
    return [entry["event"] for entry in answer.json()["items"]]


async def test_an_order_of_the_old_shop_is_the_customers_own_as_it_ended_there(shop: Any, tell: Tell) -> None:
    await tell(CONFIRMED)
    order = await imported(shop)
    assert (order["id"], order["state"], order["origin"]) == (ORDER, "confirmed", "legacy")
    assert (order["total"], order["price_source"]) == (EUR_1299, "legacy")
    assert order["placed_at"] == "2019-03-14T09:26:53Z"
    listed = await shop.client.get("/api/orders", headers=shop.headers(CUSTOMER))
    assert listed.json()["items"] == [order]
    assert await history(shop, ORDER) == ["imported"]


async def test_orders_that_have_ended_are_listed_by_number_whichever_shop_took_them_and_when(
    shop: Any, tell: Tell
) -> None:
    before = {**CONFIRMED, "order_id": "01957c3e-0f00-7000-8000-000000000000", "number": 9}
    for data in (before, CONFIRMED):
        await tell(data)
    await shop.place(CUSTOMER)
    await imported(shop)
    for limit, expected in ((2, [9, 7]), (1, [9])):
        path = f"/api/orders/by-number?limit={limit}"
        answer = await shop.client.get(path, headers=shop.headers(CUSTOMER))
        assert [order["number"] for order in answer.json()["items"]] == expected
    others = await shop.client.get("/api/orders/by-number", headers=shop.headers(uuid4()))
    assert others.json()["items"] == []


async def test_a_refused_card_of_the_old_shop_is_a_cancelled_order_with_its_reason(shop: Any, tell: Tell) -> None:
    await tell(CANCELLED)
    order = await imported(shop)
    assert (order["state"], order["reason"]) == ("cancelled", "card-declined")


async def test_a_newer_version_replaces_an_older_one_and_never_the_other_way_round(shop: Any, tell: Tell) -> None:
    await tell(CONFIRMED)
    await tell({**CANCELLED, "version": 9})
    await imported(shop, state="cancelled", version=2)
    await tell({**CONFIRMED, "version": 8})
    await tell({**CANCELLED, "version": 10, "reason": "the last word"})
    order = await imported(shop, reason="the last word")
    assert (order["state"], order["version"]) == ("cancelled", 3)
    assert await history(shop, ORDER) == ["imported"] * 3


async def test_what_a_snapshot_tells_again_is_no_change(shop: Any, tell: Tell) -> None:
    await tell(CONFIRMED)
    await tell({**CONFIRMED, "version": 7})
    await tell({**CANCELLED, "version": 6})
    await tell({**CANCELLED, "version": 8})
    assert (await imported(shop, state="cancelled"))["version"] == 2
    assert await history(shop, ORDER) == ["imported"] * 2


async def test_nothing_is_told_of_an_order_whose_stock_and_money_have_moved_already(
    shop: Any, tell: Tell, settings: Settings
) -> None:
    await tell(CONFIRMED)
    await imported(shop)
    database = Database(settings)
    async with database.autocommit() as connection:
        assert await connection.scalar(sa.select(sa.func.count()).select_from(outbox)) == 0
    await database.stop()


async def test_it_is_too_late_to_cancel_an_order_of_the_old_shop(shop: Any, tell: Tell) -> None:
    await tell(CONFIRMED)
    await imported(shop)
    answer = await shop.client.post(f"/api/orders/{ORDER}/cancellation", headers=shop.headers(CUSTOMER))
    assert answer.status_code == 409
    assert answer.json()["type"] == "urn:banyan:problem:too-late-to-cancel"


async def test_an_order_of_our_own_is_never_replaced_by_the_old_shops_copy_of_it(shop: Any, tell: Tell) -> None:
    own = (await shop.place(CUSTOMER)).json()
    await tell({**CONFIRMED, "order_id": own["id"], "number": own["number"], "version": 99})
    await tell({**CONFIRMED, "order_id": str(uuid4())})
    await imported(shop)
    read = await shop.client.get(f"/api/orders/{own['id']}", headers=shop.headers(CUSTOMER))
    assert read.json() == own
    assert await history(shop, own["id"]) == ["placed"]
