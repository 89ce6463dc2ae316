"""Commands and answers: the handlers' border, the contract's examples, and the whole way over real NATS."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from nats.errors import TimeoutError as NatsTimeoutError
from nats.js.api import AckPolicy, ConsumerConfig
from pydantic import ValidationError

from chassis.bus import Bus
from chassis.consumer import Retry
from chassis.lifecycle import Lifecycle
from chassis.messages import Message
from inventory.application import Inventory
from inventory.domain import (
    Event,
    Reason,
    ReservationAppeared,
    StockCommitted,
    StockRefused,
    StockReleased,
    StockReserved,
)
from inventory.main import create_app
from inventory.messaging import (
    COMMIT,
    LEGACY_BOOK,
    LEGACY_ORDER,
    PRODUCES,
    RELEASE,
    RESERVE,
    ReserveStock,
    handlers,
    to_message,
)
from inventory.settings import Settings

CONTRACTS = Path(__file__).parents[1] / "contracts"
EMMA = "9781999900007"
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
ORDER = UUID("0195a1c2-7b1e-7c3d-9a4b-5e6f70819203")
EVENTS: list[Event] = [
    StockReserved(ORDER, 1, datetime(2025, 3, 1, 12, 15, tzinfo=UTC)),
    StockRefused(ORDER, 1, Reason.OUT_OF_STOCK, EMMA),
    StockRefused(ORDER, 2, Reason.RELEASED),
    StockReleased(ORDER, 2, Reason.REQUESTED),
    StockReleased(ORDER, 2, Reason.EXPIRED),
    StockCommitted(ORDER, 2),
]


def command(type_: str, order: UUID, **data: Any) -> Message:
    message = Message.new(type_, str(order), 1, {"order_id": str(order), **data})
    return Message(**{**vars(message), "traceparent": f"00-{TRACE}-00f067aa0ba902b7-00"})


def reserve(order: UUID, *lines: tuple[str, int]) -> Message:
    return command(RESERVE, order, lines=[{"isbn": isbn, "quantity": quantity} for isbn, quantity in lines])


def examples(subject: str) -> list[dict[str, Any]]:
    document = json.loads((CONTRACTS / f"{subject.split('.')[2]}.v1.json").read_text())
    return list(document["examples"])


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
def test_what_is_published_looks_like_an_example_of_its_contract(event: Event) -> None:
    published = json.loads(to_message(event).encode())
    shared = ("specversion", "type", "source", "subject", "datacontenttype", "data")
    facts = [{name: example[name] for name in shared} for example in examples(published["type"])]
    assert {name: published[name] for name in shared} in facts


def test_every_message_that_is_produced_has_its_contract_and_no_other() -> None:
    assert {path.name for path in CONTRACTS.iterdir()} == {f"{subject.split('.')[2]}.v1.json" for subject in PRODUCES}
    for subject in PRODUCES:
        assert all(Message.decode(json.dumps(example).encode()).type == subject for example in examples(subject))


def test_a_book_on_two_lines_is_reserved_with_the_sum() -> None:
    lines: Any = [{"isbn": EMMA, "quantity": 2}, {"isbn": EMMA, "quantity": 1, "title": "a field of tomorrow"}]
    assert ReserveStock(order_id=ORDER, lines=lines).copies() == {EMMA: 3}


@pytest.mark.parametrize("lines", [[], [(EMMA, 0)], [(EMMA, -1)], [(EMMA, 2**31)], [("\x00", 1)]])
async def test_a_command_that_makes_no_sense_is_not_carried_out(warehouse: Any, lines: list[tuple[str, int]]) -> None:
    with pytest.raises(ValidationError):
        await handlers(warehouse.inventory)[RESERVE](reserve(uuid4(), *lines))
    assert await warehouse.answers() == []


async def test_a_command_that_met_another_first_one_of_its_order_looks_again() -> None:
    class Beaten(Inventory):
        def __init__(self) -> None: ...

        async def release_stock(self, order_id: UUID, handling: UUID) -> None:
            raise ReservationAppeared(str(order_id))

    with pytest.raises(Retry):
        await handlers(Beaten())[RELEASE](command(RELEASE, uuid4()))


@dataclass(frozen=True)
class OrdersSide:
    """The stream as the orders service sees it."""

    bus: Bus

    async def send(self, *messages: Message, delivery: str = "") -> None:
        for message in messages:
            await self.bus.publish(message.type, f"{message.id}{delivery}", message.encode())

    async def answers(self, order: UUID, count: int) -> list[Message]:
        """The first `count` messages about the order, within ten seconds."""
        jetstream = await self.bus.jetstream()
        config = ConsumerConfig(ack_policy=AckPolicy.NONE)
        replies = await jetstream.pull_subscribe("shop.inventory.>", stream=self.bus.stream, config=config)
        found: list[Message] = []
        async with asyncio.timeout(10):
            while len(found) < count:
                try:
                    batch = [Message.decode(raw.data) for raw in await replies.fetch(50, timeout=0.5)]
                except (NatsTimeoutError, TimeoutError):
                    continue
                found += [message for message in batch if message.subject == str(order)]
        await replies.unsubscribe()
        return found


@pytest.fixture
async def orders(settings: Settings, nats_server: Any) -> AsyncIterator[OrdersSide]:
    """The whole service on a real bus, with reservations that expire after a second."""
    bus_access = {"nats_url": nats_server.url, "nats_user": nats_server.user, "nats_password": nats_server.password}
    connected = Settings.model_validate({**settings.model_dump(), **bus_access, "reservation_seconds": 1})
    _, lifecycle = create_app(connected)
    bus = Bus(connected, "orders")
    async with Lifecycle([bus]).lifespan(None), lifecycle.lifespan(None):
        await bus.jetstream()
        yield OrdersSide(bus)


def names(messages: list[Message]) -> list[str]:
    return [message.type.split(".")[2] for message in messages]


def new_book() -> str:
    """A book that no other test's orders want: the stream is one for all tests, and so is who reads it."""
    return f"978{uuid4().int % 10**10:010}"


async def test_a_command_on_the_stream_is_answered_on_the_stream_in_the_same_trace(
    orders: OrdersSide, warehouse: Any
) -> None:
    order, book = uuid4(), new_book()
    await warehouse.receive(book, 5)

    await orders.send(reserve(order, (book, 2)), command(COMMIT, order))

    answers = await orders.answers(order, 2)
    assert names(answers) == ["stock-reserved", "stock-committed"]
    assert [answer.version for answer in answers] == [1, 2]
    assert all(answer.traceparent is not None and TRACE in answer.traceparent for answer in answers)
    assert (await warehouse.stock(book)).on_hand == 3


async def test_a_message_delivered_twice_is_answered_once(orders: OrdersSide, warehouse: Any) -> None:
    order, book = uuid4(), new_book()
    await warehouse.receive(book, 5)
    first = reserve(order, (book, 2))

    await orders.send(first)
    await orders.send(first, delivery="-again")  # another id for JetStream, the same message for the inbox
    await orders.send(command(COMMIT, order))

    assert names(await orders.answers(order, 2)) == ["stock-reserved", "stock-committed"]
    assert await warehouse.violations() == []


async def test_an_order_that_never_finishes_gives_its_stock_back(orders: OrdersSide, warehouse: Any) -> None:
    order, book = uuid4(), new_book()
    await warehouse.receive(book, 5)

    await orders.send(reserve(order, (book, 2)))

    answers = await orders.answers(order, 2)
    assert (names(answers)[1], answers[1].data["reason"]) == ("stock-released", "expired")
    assert (await warehouse.stock(book)).available == 5


async def test_an_order_of_the_old_shop_that_overtook_its_book_is_sold_once_the_book_is_there(
    orders: OrdersSide, warehouse: Any
) -> None:
    book = new_book()
    sold = command(LEGACY_ORDER, uuid4(), status="confirmed", lines=[{"isbn": book, "quantity": 2}], version=50)
    begun = Message.new(LEGACY_BOOK, book, 40, {"isbn": book, "received": 5, "version": 40})

    await orders.send(sold, begun)

    async with asyncio.timeout(20):
        while await warehouse.query("SELECT * FROM reservation") == []:
            await asyncio.sleep(0.05)
    assert (await warehouse.stock(book)).on_hand == 3
