"""Commands over real NATS, payments over real PostgreSQL, and the real card processor as a process that can die."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import httpx
import nats
import pytest
import sqlalchemy as sa
from nats.js.errors import NotFoundError

from chassis.bus import Bus
from chassis.messages import Message
from chassis.storage import Database
from payments.domain import Payment
from payments.main import create_app
from payments.messaging import CHARGE_CARD, REFUND_CARD, to_message
from payments.settings import Settings
from payments.storage import SqlStorage


async def until(condition: Callable[[], Awaitable[bool]], seconds: float = 20) -> None:
    """Poll until `condition` holds; fails when it does not within `seconds`."""
    limit = time.monotonic() + seconds
    while not await condition():
        assert time.monotonic() < limit, "it did not come about in time"
        await asyncio.sleep(0.02)


@dataclass
class Shop:
    """Sends commands as orders would and hears the replies."""

    bus: Bus
    settings: Settings
    psp: Any
    database: Database
    replies: list[Message] = field(default_factory=list)

    async def send(self, command: str, order: UUID, message: UUID | None = None, card: str = "tok_ok") -> None:
        data: dict[str, Any] = {"order_id": str(order), "reason": "test"}
        if command == CHARGE_CARD:
            data |= {"customer_id": str(uuid4()), "amount": 1299, "currency": "EUR", "card_token": card}
        sent = Message(message or uuid4(), command, "/orders", str(order), 1, datetime.now(UTC), data)
        # A new id for the stream each time: its own de-duplication is not what is tested here.
        await self.bus.publish(command, str(uuid4()), sent.encode())

    def heard(self, order: UUID) -> list[str]:
        return [reply.type.split(".")[2] for reply in self.replies if reply.subject == str(order)]

    async def state(self, order: UUID) -> str | None:
        payment = await SqlStorage(self.database, to_message).load(order)
        return None if payment is None else payment.state.value

    async def hears(self, order: UUID, *names: str) -> None:
        async def heard() -> bool:
            return len(self.heard(order)) >= len(names)

        await until(heard)
        assert self.heard(order) == list(names)

    async def dead_letters(self) -> int:
        jetstream = await self.bus.jetstream()
        return (await jetstream.stream_info(self.bus.dead_stream)).state.messages


@pytest.fixture
async def shop(settings: Settings, database: Database, nats_server: Any, psp: Any) -> AsyncIterator[Shop]:
    """Two replicas of payments at work."""
    login = {"nats_url": nats_server.url, "nats_user": nats_server.user, "nats_password": nats_server.password}
    own = {"psp_url": psp.url, "psp_settle_seconds": 2.0}
    settings = Settings.model_validate(settings.model_dump() | login | own)
    client = await nats.connect(nats_server.url, user=nats_server.user, password=nats_server.password)
    await forget_streams(client)
    bus = Bus(settings, "orders")
    shop = Shop(bus, settings, psp, database)

    async def hear(raw: Any) -> None:
        shop.replies.append(Message.decode(raw.data))

    await client.subscribe("shop.payments.>", cb=hear)
    async with AsyncExitStack() as running:
        await bus.start()
        running.push_async_callback(client.close)
        running.push_async_callback(bus.stop)
        await bus.jetstream()
        for _ in range(2):
            app, lifecycle = create_app(settings)
            await running.enter_async_context(lifecycle.lifespan(app))
        yield shop


async def charge_directly(shop: Shop, order: UUID) -> None:
    """What a request of a process that died has done at the processor."""
    headers = {"Authorization": f"Bearer {shop.settings.psp_api_key.get_secret_value()}", "Idempotency-Key": str(order)}
    body = {"amount": 1299, "currency": "EUR", "card_token": "tok_ok"}
    async with httpx.AsyncClient(base_url=shop.psp.url, headers=headers) as client:
        assert (await client.post("/v1/charges", json=body)).status_code == 201


async def forget_streams(client: Any) -> None:
    for stream in ("SHOP", "SHOP_DEAD"):
        try:
            await client.jetstream().delete_stream(stream)
        except NotFoundError:
            continue


async def test_a_card_is_charged_once_whatever_becomes_of_the_answer(shop: Shop) -> None:
    orders = {card: uuid4() for card in ("tok_ok", "tok_answer_lost", "tok_slow")}
    for card, order in orders.items():
        await shop.send(CHARGE_CARD, order, card=card)
    for order in orders.values():
        await shop.hears(order, "card-charged")
        assert await shop.state(order) == "charged"
    assert await shop.psp.charge_requests() == 3
    charges = {(row["key"], row["amount"], row["card_token"]) for row in await shop.psp.charges()}
    assert charges == {(str(order), 1299, card) for card, order in orders.items()}
    async with shop.database.autocommit() as connection:
        kept = await connection.scalar(sa.text("SELECT count(*) FROM payment WHERE card_token IS NOT NULL"))
    assert kept == 0, "with the outcome the card is forgotten"


async def test_a_charge_that_the_processor_refused_unstored_is_sent_again_after_a_while(shop: Shop) -> None:
    order = uuid4()
    await shop.send(CHARGE_CARD, order, card="tok_unavailable_once")
    await shop.hears(order, "card-charged")
    assert (await shop.psp.charge_requests(), len(await shop.psp.charges())) == (2, 1)


async def test_a_card_that_cannot_be_charged_is_declined_with_a_reason(shop: Shop) -> None:
    reasons = {"tok_declined": "insufficient_funds", "tok_made_up": "unknown_card", "€": "refused_by_processor"}
    for card, reason in reasons.items():
        order = uuid4()
        await shop.send(CHARGE_CARD, order, card=card)
        await shop.hears(order, "card-declined")
        assert shop.replies[-1].data == {"order_id": str(order), "reason": reason}


async def test_commands_delivered_twice_to_two_replicas_charge_each_order_once(shop: Shop) -> None:
    orders = [uuid4() for _ in range(20)]
    for order in orders:
        message = uuid4()
        await shop.send(CHARGE_CARD, order, message)
        await shop.send(CHARGE_CARD, order, message)
        await shop.send(CHARGE_CARD, order)

    async def answered() -> bool:
        return all(len(shop.heard(order)) == 2 for order in orders)

    await until(answered)
    assert {name for order in orders for name in shop.heard(order)} == {"card-charged"}
    assert (await shop.psp.charge_requests(), len(await shop.psp.charges())) == (20, 20)


async def test_a_processor_that_is_down_puts_charges_off_and_kills_no_message(shop: Shop) -> None:
    await shop.psp.kill()
    orders = [uuid4() for _ in range(8)]
    for order in orders:
        await shop.send(CHARGE_CARD, order)

    async def put_off() -> bool:
        return [await shop.state(order) for order in orders] == ["open"] * 8

    await until(put_off)
    given_up = orders[0]
    await shop.send(REFUND_CARD, given_up)
    await shop.psp.start()
    await shop.hears(given_up, "card-refunded", "card-declined")
    for order in orders[1:]:
        await shop.hears(order, "card-charged")
    assert {row["key"] for row in await shop.psp.charges()} == {str(order) for order in orders[1:]}
    assert await shop.dead_letters() == 0


async def test_a_charge_is_given_back_once_however_often_that_is_asked(shop: Shop) -> None:
    order, message = uuid4(), uuid4()
    await shop.send(CHARGE_CARD, order)
    await shop.hears(order, "card-charged")
    for _ in range(2):
        await shop.send(REFUND_CARD, order, message)
    await shop.send(REFUND_CARD, order)
    await shop.hears(order, "card-charged", "card-refunded", "card-refunded")
    assert [(row["amount"], row["refunded"]) for row in await shop.psp.charges()] == [(1299, 1299)]
    assert await shop.state(order) == "refunded"


async def test_a_refund_that_comes_before_its_charge_wins(shop: Shop) -> None:
    order = uuid4()
    await shop.send(REFUND_CARD, order)
    await shop.hears(order, "card-refunded")
    await shop.send(CHARGE_CARD, order)
    await shop.hears(order, "card-refunded", "card-declined")
    assert await shop.psp.charges() == []


async def test_a_crash_between_charge_and_outcome_is_made_good_by_the_next_delivery(shop: Shop) -> None:
    arrived, not_arrived = uuid4(), uuid4()
    await charge_directly(shop, arrived)
    for order in (arrived, not_arrived):
        left_open = Payment.open(order, uuid4(), 1299, "EUR", "tok_ok", datetime.now(UTC))
        await SqlStorage(shop.database, to_message).add_first(left_open)
        await shop.send(CHARGE_CARD, order)
    for order in (arrived, not_arrived):
        await shop.hears(order, "card-charged")
    assert (await shop.psp.charge_requests(), len(await shop.psp.charges())) == (2, 2)
