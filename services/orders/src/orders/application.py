"""The use cases of orders: place, read, cancel, and the moves of the checkout saga. Each loads, decides, commits."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from typing import Protocol
from uuid import UUID

from chassis.idempotency import Answer, Claim
from orders.domain import (
    CatalogUnavailable,
    HistoryEntry,
    Order,
    OrderCancelled,
    OrderConfirmed,
    OrderEvent,
    OrderNotFound,
    OrderPlaced,
    OrderState,
    Price,
    PriceSource,
    PricesUnknown,
    Quote,
    TooLateToCancel,
    Wish,
    price_lines,
)
from orders.saga import Checkout, Command, Move, Outcome, Reply, Saga


class Catalog(Protocol):
    """Asks for current prices; books that are not in the catalogue are absent. Raises `CatalogUnavailable`."""

    async def prices(self, isbns: Sequence[str]) -> list[Price]: ...


class UnitOfWork(Protocol):
    """One transaction: what is done in it happens together or not at all. `events` go to the order's history.

    `add` returns the order with its number. `take_over` does nothing when it knows the old shop's `version` or a newer.
    """

    async def add(self, order: Order, saga: Saga, events: Sequence[str]) -> Order: ...
    async def take_over(self, order: Order, version: int, now: datetime) -> None: ...
    async def load(self, order_id: UUID) -> tuple[Order, Saga] | None: ...
    async def save(self, order: Order, saga: Saga, events: Sequence[str], at: datetime) -> None: ...
    async def overdue(self, now: datetime, limit: int) -> list[tuple[Order, Saga]]: ...
    async def send(self, order: Order, messages: Sequence[Command | OrderEvent]) -> None: ...
    async def hear_price(self, price: Price) -> None: ...
    async def complete(self, claim: Claim, answer: Answer) -> None: ...


class Storage(Protocol):
    """Opens transactions and answers questions. `handling`: the message whose effect the transaction is."""

    def begin(self, handling: UUID | None = None) -> AbstractAsyncContextManager[UnitOfWork]: ...
    async def order(self, order_id: UUID) -> Order | None: ...
    async def numbered(self, number: int) -> Order | None: ...
    async def orders_of(
        self, customer_id: UUID, state: OrderState | None, before: UUID | None, limit: int
    ) -> list[Order]: ...
    async def ended_by_number(self, customer_id: UUID, limit: int) -> list[Order]: ...
    async def history(self, order_id: UUID) -> list[HistoryEntry]: ...
    async def heard_prices(self, isbns: Sequence[str]) -> list[Price]: ...


def utc_now() -> datetime:
    """The time, in UTC."""
    return datetime.now(UTC)


OVERDUE_AT_ONCE = 50
# A bulkhead: an order costs one transaction to place and three to finish. Were new orders to take every connection that
# comes free, the accepted ones would pile up behind them.
PLACING_AT_ONCE = 2


class Orders:
    """`new_id` and `clock` are for tests to choose; `on_move` is told of orders whose saga a reply has moved."""

    def __init__(
        self,
        storage: Storage,
        catalog: Catalog,
        new_id: Callable[[], UUID],
        clock: Callable[[], datetime] = utc_now,
        checkout: Checkout | None = None,
        on_move: Callable[[Order], None] = lambda _: None,
    ) -> None:
        self._storage = storage
        self._catalog = catalog
        self._new_id = new_id
        self._clock = clock
        self._checkout = checkout or Checkout()
        self._on_move = on_move
        self._placing = asyncio.Semaphore(PLACING_AT_ONCE)

    async def place(
        self,
        customer_id: UUID,
        wishes: Sequence[Wish],
        card_token: str,
        claim: Claim,
        answer: Callable[[Order], Answer],
    ) -> Answer:
        """Accept an order and start its checkout; `answer` is what the customer is told, now and at a repetition."""
        prices, source = await self._prices([wish.isbn for wish in wishes])
        lines, total = price_lines(wishes, prices)
        now = self._clock()
        order = Order(self._new_id(), customer_id, card_token, lines, total, source, placed_at=now, updated_at=now)
        move = self._checkout.begin(order.id, now)
        async with self._placing, self._storage.begin() as work:
            order = await work.add(order, move.saga, ["placed"])
            told = answer(order)
            await work.send(order, [OrderPlaced(order), *_commands(move)])
            await work.complete(claim, told)
        return told

    async def quote(self, wishes: Sequence[Wish]) -> Quote:
        """What `place` would charge, without any effect. Raises `UnknownBook`, `PricesUnknown`."""
        prices, _ = await self._prices([wish.isbn for wish in wishes])
        return Quote(*price_lines(wishes, prices))

    async def read(self, order_id: UUID, customer_id: UUID | None) -> Order:
        """The order, to its customer; with `customer_id` None to an operator. Raises `OrderNotFound`."""
        return _shown(await self._storage.order(order_id), customer_id)

    async def read_numbered(self, number: int, customer_id: UUID | None) -> Order:
        """The same by the order's number."""
        return _shown(await self._storage.numbered(number), customer_id)

    async def history(self, order_id: UUID, customer_id: UUID | None) -> list[HistoryEntry]:
        """What has happened to the order, oldest first."""
        await self.read(order_id, customer_id)
        return await self._storage.history(order_id)

    async def of_customer(
        self, customer_id: UUID, state: OrderState | None, before: UUID | None, limit: int
    ) -> list[Order]:
        """The customer's orders, newest first."""
        return await self._storage.orders_of(customer_id, state, before, limit)

    async def ended_by_number(self, customer_id: UUID, limit: int) -> list[Order]:
        """Those of the customer's orders that have ended, the highest number first."""
        return await self._storage.ended_by_number(customer_id, limit)

    async def cancel(self, order_id: UUID, customer_id: UUID) -> Order:
        """Start to undo the order; once more is as good as once. Raises `OrderNotFound`, `TooLateToCancel`."""
        async with self._storage.begin() as work:
            loaded = await work.load(order_id)
            if loaded is None or loaded[0].customer_id != customer_id:
                raise OrderNotFound(f"there is no order {order_id}")
            order, saga = loaded
            if order.state in (OrderState.CANCELLING, OrderState.CANCELLED):
                return order
            move = self._checkout.cancelled(saga, "cancelled by the customer", self._clock())
            if move is None:
                raise TooLateToCancel(f"order {order_id} is confirmed, or about to be")
            return await self._apply(work, order, move, [])

    async def answered(self, order_id: UUID, reply: Reply, reason: str | None, message_id: UUID) -> None:
        """Move an order's saga by a reply."""
        async with self._storage.begin(handling=message_id) as work:
            loaded = await work.load(order_id)
            if loaded is None:
                return
            order, saga = loaded
            move = self._checkout.answered(saga, reply, reason, self._clock())
            if move is not None:
                order = await self._apply(work, order, move, [reply.value])
        if move is not None:
            self._on_move(order)

    async def resume_overdue(self) -> int:
        """Move the sagas whose answer is missing; returns how many there were."""
        now = self._clock()
        async with self._storage.begin() as work:
            overdue = await work.overdue(now, OVERDUE_AT_ONCE)
            for order, saga in overdue:
                await self._apply(work, order, self._checkout.timed_out(saga, now), [])
        return len(overdue)

    async def take_over(self, order: Order, version: int, message_id: UUID) -> None:
        """Store an order of the old shop, as it ended there; `version` is the old shop's, and the newest one stays.

        Nothing is told of it: stock and money have moved over there, and whoever must know hears it from the bridge.
        """
        async with self._storage.begin(handling=message_id) as work:
            await work.take_over(order, version, self._clock())

    async def hear_price(self, price: Price, message_id: UUID) -> None:
        """Remember what catalog last said, for the time when it cannot be asked."""
        async with self._storage.begin(handling=message_id) as work:
            await work.hear_price(price)

    async def _prices(self, isbns: Sequence[str]) -> tuple[list[Price], PriceSource]:
        try:
            return await self._catalog.prices(isbns), PriceSource.CATALOG
        except CatalogUnavailable as error:
            heard = await self._storage.heard_prices(isbns)
            if len(heard) < len(set(isbns)):
                raise PricesUnknown("catalog does not answer, and not all prices were heard before") from error
            return heard, PriceSource.LAST_HEARD

    async def _apply(self, work: UnitOfWork, order: Order, move: Move, happened: list[str]) -> Order:
        events: list[OrderEvent] = []
        now = self._clock()
        for outcome in move.outcomes:
            order, told = _transition(order, outcome, move.saga, now)
            happened.append(order.state.value)
            events += told
        await work.save(order, move.saga, happened, now)
        await work.send(order, [*_commands(move), *events])
        return order


def _shown(order: Order | None, customer_id: UUID | None) -> Order:
    if order is None or customer_id not in (None, order.customer_id):
        raise OrderNotFound("there is no such order")
    return order


def _commands(move: Move) -> list[Command]:
    return [] if move.command is None else [move.command]


def _transition(order: Order, outcome: Outcome, saga: Saga, now: datetime) -> tuple[Order, list[OrderEvent]]:
    if outcome is Outcome.CONFIRM:
        confirmed = order.confirm(now)
        return confirmed, [OrderConfirmed(confirmed)]
    if outcome is Outcome.START_CANCELLING:
        return order.start_cancelling(saga.reason or "cancelled", now), []
    cancelled = order.cancel(now)
    return cancelled, [OrderCancelled(cancelled)]
