"""Where orders and their sagas are kept: statements built once, rows to and from the domain."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.idempotency import Answer, Claim, IdempotencyKeys
from chassis.inbox import Inbox
from chassis.messages import Message
from chassis.outbox import Outbox
from chassis.storage import Database
from orders.domain import HistoryEntry, Line, Money, Order, OrderEvent, OrderState, Origin, Price, PriceSource
from orders.saga import Command, Direction, OpenSagas, Saga
from orders.storage.statements import (
    ADD,
    ENDED_BY_NUMBER,
    HEAR,
    HISTORY,
    LOAD,
    OPEN,
    OVERDUE,
    READ,
    READ_NUMBERED,
    SAVE,
    TAKE_OVER,
)
from orders.storage.tables import heard_price, idempotency_key, inbox, orders, outbox

Encode = Callable[[Order, Command | OrderEvent], Message]


class SqlUnitOfWork:
    """One transaction."""

    def __init__(self, connection: AsyncConnection, keys: IdempotencyKeys, encode: Encode) -> None:
        self._connection = connection
        self._keys = keys
        self._encode = encode
        self._outbox = Outbox(outbox)

    async def add(self, order: Order, started: Saga, events: Sequence[str]) -> Order:
        number = await self._connection.scalar(ADD, _parameters(order, started, events))
        return replace(order, number=number)

    async def take_over(self, order: Order, version: int, now: datetime) -> None:
        ended = Saga(order.id, due_at=order.placed_at, direction=Direction.ENDED)
        more = {"orders_number": order.number, "orders_legacy_version": version}
        await self._connection.execute(TAKE_OVER, {**_parameters(replace(order, updated_at=now), ended, ()), **more})

    async def load(self, order_id: UUID) -> tuple[Order, Saga] | None:
        row = (await self._connection.execute(LOAD, {"of": order_id})).one_or_none()
        return None if row is None else (_order(row), _saga(row))

    async def save(self, order: Order, moved: Saga, events: Sequence[str], at: datetime) -> None:
        await self._connection.execute(SAVE, {**_parameters(order, moved, events), "at": at})

    async def overdue(self, now: datetime, limit: int) -> list[tuple[Order, Saga]]:
        rows = await self._connection.execute(OVERDUE, {"now": now, "most": limit})
        return [(_order(row), _saga(row)) for row in rows]

    async def send(self, order: Order, messages: Sequence[Command | OrderEvent]) -> None:
        await self._outbox.add(self._connection, *(self._encode(order, message) for message in messages))

    async def hear_price(self, price: Price) -> None:
        await self._connection.execute(
            HEAR,
            {
                "isbn": price.isbn,
                "title": price.title,
                "amount": price.price.amount,
                "currency": price.price.currency,
                "version": price.version,
            },
        )

    async def complete(self, claim: Claim, answer: Answer) -> None:
        await self._keys.complete(self._connection, claim, answer)


class SqlStorage:
    """Opens transactions and answers questions. `encode` turns commands and events into messages."""

    def __init__(self, database: Database, encode: Encode) -> None:
        self._database = database
        self._encode = encode
        self._inbox = Inbox(inbox)
        self.keys = IdempotencyKeys(database, idempotency_key)

    @asynccontextmanager
    async def begin(self, handling: UUID | None = None) -> AsyncIterator[SqlUnitOfWork]:
        async with self._database.transaction() as connection:
            if handling is not None:
                await self._inbox.accept(connection, handling)
            yield SqlUnitOfWork(connection, self.keys, self._encode)

    async def order(self, order_id: UUID) -> Order | None:
        async with self._database.autocommit() as connection:
            row = (await connection.execute(READ, {"of": order_id})).one_or_none()
        return None if row is None else _order(row)

    async def numbered(self, number: int) -> Order | None:
        async with self._database.autocommit() as connection:
            row = (await connection.execute(READ_NUMBERED, {"numbered": number})).one_or_none()
        return None if row is None else _order(row)

    async def orders_of(
        self, customer_id: UUID, state: OrderState | None, before: UUID | None, limit: int
    ) -> list[Order]:
        query = sa.select(orders).where(orders.c.customer_id == customer_id)
        if state is not None:
            query = query.where(orders.c.state == state)
        if before is not None:
            query = query.where(orders.c.id < before)
        async with self._database.autocommit() as connection:
            rows = await connection.execute(query.order_by(orders.c.id.desc()).limit(limit))
            return [_order(row) for row in rows]

    async def ended_by_number(self, customer_id: UUID, limit: int) -> list[Order]:
        async with self._database.autocommit() as connection:
            rows = await connection.execute(ENDED_BY_NUMBER, {"customer": customer_id, "most": limit})
            return [_order(row) for row in rows]

    async def history(self, order_id: UUID) -> list[HistoryEntry]:
        async with self._database.autocommit() as connection:
            return [HistoryEntry(row.event, row.at) for row in await connection.execute(HISTORY, {"of": order_id})]

    async def heard_prices(self, isbns: Sequence[str]) -> list[Price]:
        query = sa.select(heard_price).where(heard_price.c.isbn.in_(isbns))
        async with self._database.autocommit() as connection:
            rows = await connection.execute(query)
            return [Price(r.isbn, r.title, Money(r.amount, r.currency), r.version) for r in rows]

    async def open_sagas(self) -> list[OpenSagas]:
        async with self._database.autocommit() as connection:
            rows = await connection.execute(OPEN)
            return [OpenSagas(Direction(row.direction), row.open, float(row.age)) for row in rows]

    async def forget_old(self) -> None:
        """Delete what the inbox and the idempotency keys need no longer hold."""
        async with self._database.transaction() as connection:
            await self._inbox.forget_old(connection)
            await self.keys.forget_old(connection)


def _parameters(order: Order, at: Saga, events: Sequence[str]) -> dict[str, Any]:
    row = {f"orders_{name}": value for name, value in _order_row(order).items()}
    return {**row, **_saga_row(at), "of": order.id, "events": list(events), "at": order.updated_at}


def _order_row(order: Order) -> dict[str, Any]:
    return {
        "id": order.id,
        "customer_id": order.customer_id,
        "state": order.state,
        "reason": order.reason,
        "card_token": order.card_token,
        "lines": [
            {
                "isbn": line.isbn,
                "title": line.title,
                "quantity": line.quantity,
                "amount": line.unit_price.amount,
                "currency": line.unit_price.currency,
            }
            for line in order.lines
        ],
        "total_amount": order.total.amount,
        "currency": order.total.currency,
        "price_source": order.price_source,
        "placed_at": order.placed_at,
        "updated_at": order.updated_at,
        "version": order.version,
        "origin": order.origin,
    }


def _saga_row(at: Saga) -> dict[str, Any]:
    return {
        "saga_step": at.step,
        "saga_direction": at.direction,
        "saga_attempt": at.attempt,
        "saga_due_at": at.due_at,
        "saga_saga_reason": at.reason,
    }


def _order(row: sa.Row[Any]) -> Order:
    return Order(
        id=row.id,
        customer_id=row.customer_id,
        card_token=row.card_token,
        lines=tuple(
            Line(line["isbn"], line["title"], line["quantity"], Money(line["amount"], line["currency"]))
            for line in row.lines
        ),
        total=Money(row.total_amount, row.currency),
        price_source=PriceSource(row.price_source),
        placed_at=row.placed_at,
        updated_at=row.updated_at,
        state=OrderState(row.state),
        reason=row.reason,
        version=row.version,
        number=row.number,
        origin=Origin(row.origin),
    )


def _saga(row: sa.Row[Any]) -> Saga:
    return Saga(row.order_id, row.due_at, row.step, Direction(row.direction), row.attempt, row.saga_reason)
