"""Use cases over fakes: what no database is needed for."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

from chassis.idempotency import Answer, Claim
from orders.application import PLACING_AT_ONCE, Orders
from orders.domain import Order, PriceSource, Wish

WISHES = [Wish("9781999900007", 1)]


class FakeUnitOfWork:
    """Takes everything, remembers the orders."""

    def __init__(self) -> None:
        self.orders: list[Order] = []

    async def add(self, order: Order, *_: object) -> Order:
        self.orders.append(replace(order, number=1_000_001 + len(self.orders)))
        return self.orders[-1]

    async def nothing(self, *_: object) -> None: ...

    send = complete = nothing


class SlowStorage:
    """Keeps each transaction open until it is let go, and counts how many are."""

    def __init__(self) -> None:
        self.open = 0
        self.most_open = 0
        self.let_go = asyncio.Event()
        self.work = FakeUnitOfWork()

    @asynccontextmanager
    async def begin(self, handling: UUID | None = None) -> AsyncIterator[FakeUnitOfWork]:
        self.open += 1
        self.most_open = max(self.most_open, self.open)
        yield self.work
        await self.let_go.wait()
        self.open -= 1


async def place(orders: Orders) -> Answer:
    claim = Claim("customer", "key")
    return await orders.place(uuid4(), WISHES, "tok_ok", claim, lambda order: Answer(202, str(order.number).encode()))


async def test_new_orders_leave_the_connections_to_accepted_ones(catalog: Any) -> None:
    storage = SlowStorage()
    orders = Orders(storage, catalog, new_id=uuid4)  # type: ignore[arg-type]
    placing = [asyncio.create_task(place(orders)) for _ in range(20)]
    async with asyncio.timeout(5):
        while storage.open < PLACING_AT_ONCE:
            await asyncio.sleep(0)
    storage.let_go.set()
    await asyncio.gather(*placing)
    assert storage.most_open == PLACING_AT_ONCE
    assert len(storage.work.orders) == 20


async def test_the_answer_that_is_kept_for_the_key_is_the_one_that_was_given(catalog: Any) -> None:
    storage = SlowStorage()
    storage.let_go.set()
    answer = await place(Orders(storage, catalog, new_id=uuid4))  # type: ignore[arg-type]
    assert answer.body.decode() == str(storage.work.orders[0].number) == "1000001"
    assert storage.work.orders[0].price_source is PriceSource.CATALOG
