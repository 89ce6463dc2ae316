"""The HTTP interface over the running bridge: who may ask, how far it is, and drains that are true when they say so."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import asyncpg
import httpx
import pytest
from uuid_utils.compat import uuid7

from bridge.settings import Settings
from chassis.bus import Bus
from chassis.consumer import Consumer
from chassis.messages import Message
from services.bridge.tests.fakes import EMMA, TABLES, OldShop, running, until

ORDER_CHANGED = "shop.bridge.legacy-order-changed.v1"
BOOK_CHANGED = "shop.bridge.legacy-book-changed.v1"


@pytest.fixture
async def bridge(on_bus: Settings, old_shop: OldShop) -> AsyncIterator[httpx.AsyncClient]:
    """Two replicas at work; the client speaks to the second."""
    async with running(on_bus), running(on_bus) as client:
        await until(lambda: succeeds(client, "/startupz"))
        yield client


@pytest.fixture
async def bus(on_bus: Settings) -> AsyncIterator[Bus]:
    bus = Bus(on_bus, "test")
    await bus.start()
    await bus.jetstream()
    yield bus
    await bus.stop()


class Hearing:
    """A service of the new shop; handles nothing until it is allowed to."""

    def __init__(self, bus: Bus, name: str, *subjects: str) -> None:
        self.may = asyncio.Event()
        self.handled = 0
        self.consumer = Consumer(bus, name, dict.fromkeys(subjects, self._handle))

    async def _handle(self, message: Message) -> None:
        await self.may.wait()
        self.handled += 1


@pytest.fixture
async def services(bus: Bus) -> AsyncIterator[dict[str, Hearing]]:
    hearing = {
        "orders": Hearing(bus, "orders", ORDER_CHANGED),
        "inventory": Hearing(bus, "inventory", ORDER_CHANGED, BOOK_CHANGED),
    }
    for each in hearing.values():
        await each.consumer.start()
    yield hearing
    for each in hearing.values():
        each.may.set()
        await each.consumer.stop()


async def succeeds(client: httpx.AsyncClient, path: str) -> bool:
    return (await client.get(path)).is_success


async def drain(client: httpx.AsyncClient, **wish: Any) -> httpx.Response:
    return await client.post("/api/bridge/drains", json={"direction": "to-shop", "limit_ms": 2000, **wish})


@pytest.mark.parametrize("key", [None, "another-key-than-it-is"])
async def test_without_the_key_nothing_is_told(bridge: httpx.AsyncClient, key: str | None) -> None:
    bridge.headers.pop("Authorization")
    headers = {} if key is None else {"Authorization": f"Bearer {key}"}
    answer = await bridge.get("/api/bridge/status", headers=headers)
    assert answer.status_code == 401
    assert answer.json()["type"] == "urn:banyan:problem:unauthenticated"


async def test_the_status_follows_what_happens(bridge: httpx.AsyncClient, old_shop: OldShop) -> None:
    await old_shop.checkout(await old_shop.customer(), {await old_shop.product(): 1})

    async def all_published() -> bool:
        status = (await bridge.get("/api/bridge/status")).json()
        return bool(status["captured"] == status["published"] > 1)

    await until(all_published)
    status = (await bridge.get("/api/bridge/status")).json()
    assert (status["lag_seconds"], status["echoes_suppressed"]) == (0, 0)
    assert status["to_legacy"] == {"pending": 0, "lag_seconds": 0}
    assert status["snapshot"] == {"done": False, "tables": {}}
    metrics = (await bridge.get("/metrics")).text
    assert 'bridge_delay_seconds_count{direction="to-shop"}' in metrics


async def test_a_drain_ends_when_those_who_keep_orders_and_stock_have_acknowledged(
    bridge: httpx.AsyncClient, old_shop: OldShop, services: dict[str, Hearing]
) -> None:
    emma = await old_shop.product()
    await old_shop.checkout(await old_shop.customer(), {emma: 1})
    answer = await drain(bridge, limit_ms=400)
    assert (answer.status_code, answer.json()["type"]) == (504, "urn:banyan:problem:not-drained")
    draining = asyncio.create_task(drain(bridge, limit_ms=5000))
    services["orders"].may.set()
    await until(lambda: _handled(services["orders"], 1))
    assert not draining.done(), "stock is not known yet"
    services["inventory"].may.set()
    answer = await draining
    assert answer.status_code == 200, answer.text
    assert answer.json()["drained"] is True
    assert 0 < answer.json()["seconds"] < 5
    assert (services["orders"].handled, services["inventory"].handled) == (1, 2)


async def test_a_drain_does_not_wait_for_what_a_service_does_not_listen_to(
    bridge: httpx.AsyncClient, old_shop: OldShop, services: dict[str, Hearing]
) -> None:
    for each in services.values():
        each.may.set()
    await old_shop.product()
    await old_shop.checkout(await old_shop.customer(), {1: 1})
    await old_shop.execute("UPDATE products SET price = 5")
    answer = await drain(bridge)
    assert answer.status_code == 200, answer.text
    assert answer.json()["seconds"] < 1


async def test_a_drain_says_when_nobody_listens(bridge: httpx.AsyncClient, old_shop: OldShop) -> None:
    answer = await drain(bridge)
    assert (answer.status_code, "nobody listens" in answer.json()["detail"]) == (504, True)


async def test_a_drain_to_the_old_shop_ends_when_it_has_the_orders(
    bridge: httpx.AsyncClient, old_shop: OldShop, bus: Bus
) -> None:
    wish = {"direction": "to-legacy", "orders": [1_000_001, 1_000_002]}
    await old_shop.product()
    await order_confirmed(bus, 1_000_001)
    assert (await drain(bridge, **wish, limit_ms=300)).status_code == 504
    await order_confirmed(bus, 1_000_002)
    answer = await drain(bridge, **wish)
    assert answer.status_code == 200, answer.text
    assert await old_shop.value("SELECT stock FROM products") == 8


async def test_orders_that_wait_for_their_book_are_told_as_lag(
    bridge: httpx.AsyncClient, old_shop: OldShop, bus: Bus
) -> None:
    await order_confirmed(bus, 1_000_001)

    async def lags() -> bool:
        waiting = (await bridge.get("/api/bridge/status")).json()["to_legacy"]
        return bool(waiting["pending"] == 1 and waiting["lag_seconds"] > 0.3)

    await until(lags)
    await old_shop.product()
    assert (await drain(bridge, direction="to-legacy", orders=[1_000_001])).status_code == 200


async def test_a_wish_that_makes_no_sense_is_refused(bridge: httpx.AsyncClient) -> None:
    for wish in ({"direction": "up"}, {"limit_ms": 0}, {"direction": "to-legacy"}, {"orders": [1]}):
        assert (await drain(bridge, **wish)).status_code == 422


async def test_bridge_has_started_when_the_old_shop_s_tables_have_their_triggers(
    make_database: Any, settings: Settings
) -> None:
    empty = await make_database("legacy", migrated=False)
    own = settings.model_dump() | {"database_url": empty.url, "database_password": empty.password}
    async with running(Settings.model_validate(own)) as client:
        probes = [(await client.get(path)).status_code for path in ("/healthz", "/startupz", "/readyz")]
        assert probes == [200, 503, 200]
        connection = await asyncpg.connect(empty.url, password=empty.password)
        await connection.execute(TABLES.read_text())
        await connection.close()
        await until(lambda: succeeds(client, "/startupz"))


async def _handled(service: Hearing, count: int) -> bool:
    return service.handled >= count


async def order_confirmed(bus: Bus, number: int) -> None:
    line = {"isbn": EMMA, "title": "Emma", "quantity": 1, "unit_price": {"amount": 2490, "currency": "EUR"}}
    data = {
        "order_id": uuid7(),
        "number": number,
        "customer_id": uuid7(),
        "lines": [line],
        "total": {"amount": 2490, "currency": "EUR"},
        "placed_at": datetime.now(UTC),
        "origin": "shop",
    }
    message = Message.new("shop.orders.order-confirmed.v1", str(data["order_id"]), 2, data)
    await bus.publish(message.type, str(message.id), message.encode())
