"""The checkout over real NATS and PostgreSQL: the tests speak as inventory and payments do."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

import pytest
from prometheus_client import REGISTRY

from chassis.bus import Bus
from chassis.consumer import Consumer
from chassis.messages import Message
from orders.settings import Settings

CUSTOMER = UUID("01957c3e-0f00-7000-8000-0000000000c1")


class Others:
    """Inventory, payments and catalog, as orders meets them: what they heard, and a way to speak."""

    def __init__(self, bus: Bus) -> None:
        self.bus = bus
        self.heard: list[Message] = []

    async def listen(self, message: Message) -> None:
        self.heard.append(message)

    async def say(self, type: str, aggregate: str, **data: Any) -> Message:
        message = Message.new(type, aggregate, data.get("version", 1), data)
        await self.bus.publish(message.type, str(message.id), message.encode())
        return message

    async def hear(self, command: str, order: str, times: int = 1) -> list[Message]:
        """Wait until the command was sent `times` for the order."""

        def found() -> list[Message]:
            return [m for m in self.heard if m.type == f"shop.orders.{command}.v1" and m.subject == order]

        await until(lambda: _true(len(found()) >= times))
        return found()


async def _true(value: bool) -> bool:
    return value


async def until(condition: Callable[[], Awaitable[bool]], seconds: float = 15) -> None:
    """Poll with a limit."""
    async with asyncio.timeout(seconds):
        while not await condition():
            await asyncio.sleep(0.02)


@pytest.fixture
async def others(settings: Settings, nats_server: Any) -> AsyncIterator[Others]:
    bus = Bus(settings, "others")
    await bus.start()
    await bus.jetstream()
    others = Others(bus)
    names = ("reserve-stock", "release-stock", "charge-card", "refund-card", "commit-stock", "order-confirmed")
    handlers = {f"shop.orders.{name}.v1": others.listen for name in names}
    consumer = Consumer(bus, f"others-{uuid4().hex}", handlers)
    await consumer.start()
    yield others
    await consumer.stop()
    await bus.stop()


def ended(outcome: str) -> float:
    return REGISTRY.get_sample_value("saga_ended_total", {"outcome": outcome}) or 0


async def state(shop: Any, order: str) -> str:
    answer = await shop.client.get(f"/api/orders/{order}", headers=shop.headers(CUSTOMER))
    return str(answer.json()["state"])


async def test_an_order_is_confirmed_when_stock_and_card_are_good(shop: Any, others: Others) -> None:
    before = ended("confirmed")
    order = (await shop.place(CUSTOMER)).json()["id"]
    (reserve,) = await others.hear("reserve-stock", order)
    assert reserve.data == {"order_id": order, "lines": [{"isbn": "9781999900007", "quantity": 2}]}
    await others.say("shop.inventory.stock-reserved.v1", order, order_id=order)
    (charge,) = await others.hear("charge-card", order)
    assert (charge.data["amount"], charge.data["currency"], charge.data["card_token"]) == (2598, "EUR", "tok_ok")
    await others.say("shop.payments.card-charged.v1", order, order_id=order)
    await others.hear("commit-stock", order)
    await others.say("shop.inventory.stock-committed.v1", order, order_id=order)
    await until(lambda: _is(shop, order, "confirmed"))
    history = await shop.client.get(f"/api/orders/{order}/history", headers=shop.headers(CUSTOMER))
    assert [entry["event"] for entry in history.json()["items"]] == [
        "placed",
        "stock-reserved",
        "card-charged",
        "stock-committed",
        "confirmed",
    ]
    assert ended("confirmed") == before + 1


async def test_whoever_hears_of_an_order_can_write_it_down_without_asking(shop: Any, others: Others) -> None:
    order = (await shop.place(CUSTOMER)).json()
    for reply in ("inventory.stock-reserved", "payments.card-charged", "inventory.stock-committed"):
        await others.say(f"shop.{reply}.v1", order["id"], order_id=order["id"])
    (told,) = await others.hear("order-confirmed", order["id"])
    assert (told.data["number"], told.data["origin"]) == (order["number"], "shop")
    assert told.data["lines"] == order["lines"]
    assert datetime.fromisoformat(told.data["placed_at"]) == datetime.fromisoformat(order["placed_at"])


async def _is(shop: Any, order: str, expected: str) -> bool:
    return await state(shop, order) == expected


async def test_a_declined_card_releases_the_stock_and_cancels_with_its_reason(shop: Any, others: Others) -> None:
    before = ended("cancelled")
    order = (await shop.place(CUSTOMER)).json()["id"]
    await others.say("shop.inventory.stock-reserved.v1", order, order_id=order)
    await others.hear("charge-card", order)
    await others.say("shop.payments.card-declined.v1", order, order_id=order, reason="stolen_card")
    await others.hear("release-stock", order)
    assert await state(shop, order) == "cancelling"
    await others.say("shop.inventory.stock-released.v1", order, order_id=order, reason="requested")
    await until(lambda: _is(shop, order, "cancelled"))
    answer = await shop.client.get(f"/api/orders/{order}", headers=shop.headers(CUSTOMER))
    assert answer.json()["reason"] == "stolen_card"
    assert ended("cancelled") == before + 1


async def test_a_reply_delivered_twice_moves_the_saga_once(shop: Any, others: Others) -> None:
    order = (await shop.place(CUSTOMER)).json()["id"]
    reply = await others.say("shop.inventory.stock-reserved.v1", order, order_id=order)
    await others.hear("charge-card", order)
    await others.bus.publish(reply.type, f"{reply.id}-again", reply.encode())
    await others.say("shop.payments.card-charged.v1", order, order_id=order)
    await others.hear("commit-stock", order)
    assert len(await others.hear("charge-card", order)) == 1


async def test_an_order_can_be_cancelled_until_the_commit_and_then_no_more(shop: Any, others: Others) -> None:
    order = (await shop.place(CUSTOMER)).json()["id"]
    await others.say("shop.inventory.stock-reserved.v1", order, order_id=order)
    await others.say("shop.payments.card-charged.v1", order, order_id=order)
    await others.hear("commit-stock", order)
    answer = await shop.client.post(f"/api/orders/{order}/cancellation", headers=shop.headers(CUSTOMER))
    assert answer.status_code == 409
    assert answer.json()["type"] == "urn:banyan:problem:too-late-to-cancel"


async def test_while_catalog_is_down_the_newest_price_heard_is_used_and_said_so(shop: Any, others: Others) -> None:
    shop.catalog.down = True
    book = {"isbn": "9781999900007", "title": "Middlemarch", "price": {"amount": 1500, "currency": "EUR"}}
    old = {**book, "price": {"amount": 100, "currency": "EUR"}}
    await others.say("shop.catalog.book-changed.v1", "9781999900007", **book, version=5)
    await others.say("shop.catalog.book-changed.v1", "9781999900007", **old, version=4)
    await until(lambda: _accepted(shop))
    await others.say("shop.catalog.book-changed.v1", "9781999900007", **old, version=3)
    order = (await shop.place(CUSTOMER)).json()
    assert order["price_source"] == "last-heard"
    assert order["lines"][0]["unit_price"]["amount"] == 1500


async def _accepted(shop: Any) -> bool:
    return bool((await shop.place(CUSTOMER)).status_code == 202)
