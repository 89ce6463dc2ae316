"""Storage of inventory: one transaction a use case, over the tables and statements beside this file."""

from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.idempotency import Answer, Claim, IdempotencyKeys
from chassis.inbox import Inbox
from chassis.messages import Message
from chassis.outbox import Outbox
from chassis.storage import Database
from inventory.domain import (
    MAX_RECEIVED,
    Change,
    Event,
    Reason,
    Reservation,
    ReservationAppeared,
    State,
    Stock,
    StockFull,
    movements,
)
from inventory.storage import statements
from inventory.storage.tables import idempotency_key, inbox, metadata, outbox

__all__ = ["SqlStorage", "SqlUnitOfWork", "idempotency_key", "inbox", "metadata", "outbox"]

_outbox = Outbox(outbox)
_inbox = Inbox(inbox)


class SqlUnitOfWork:
    """One transaction; see `application.UnitOfWork`."""

    def __init__(
        self, connection: AsyncConnection, keys: IdempotencyKeys, to_message: Callable[[Event], Message]
    ) -> None:
        self._connection = connection
        self._keys = keys
        self._to_message = to_message

    async def reservation(self, order_id: UUID) -> Reservation | None:
        rows = await self._connection.execute(statements.LOAD, {"order_id": order_id})
        return next(iter(_reservations(rows)), None)

    async def due(self, now: datetime, limit: int) -> Sequence[Reservation]:
        return _reservations(await self._connection.execute(statements.LOAD_DUE, {"now": now, "limit": limit}))

    async def lock_stock(self, isbns: Sequence[str]) -> Mapping[str, int]:
        rows = await self._connection.execute(statements.LOCK_STOCK, {"isbns": list(isbns)})
        return {row.isbn: row.available for row in rows}

    async def save(self, *changes: Change) -> None:
        for change in changes:
            if change.before is None:
                await self._insert(change)
        changed = [c for c in changes if c.before is not None and c.after is not c.before]
        if changed:
            row = _columns([change.after for change in changed])
            await self._connection.execute(statements.UPDATE, row | _moves(changed))

    async def _insert(self, change: Change) -> None:
        if await self._connection.scalar(statements.INSERT, _first(change)) is None:
            raise ReservationAppeared(str(change.after.order_id))

    async def save_sold(self, reservation: Reservation) -> int:
        row = (await self._connection.execute(statements.INSERT_SOLD, _first(Change(None, reservation)))).one_or_none()
        if row is None:
            raise ReservationAppeared(str(reservation.order_id))
        return int(row.owed)

    async def receive(self, isbn: str, quantity: int) -> Stock:
        row = (await self._connection.execute(statements.RECEIVE, {"of": isbn, "quantity": quantity})).one_or_none()
        if row is None:
            raise _full()
        return Stock(*row)

    async def introduce(self, isbn: str, received: int, version: int) -> None:
        row = {"of": isbn, "quantity": received, "version": version}
        await self._connection.execute(statements.INTRODUCE, row)

    async def lock_baseline(self, isbn: str) -> int | None:
        return (await self._connection.execute(statements.LOCK_BASELINE, {"of": isbn})).scalar_one_or_none()

    async def adjust(self, isbn: str, quantity: int) -> None:
        done = await self._connection.execute(statements.ADJUST, {"of": isbn, "quantity": quantity})
        if done.rowcount == 0:
            raise _full()

    async def complete(self, claim: Claim, answer: Answer) -> None:
        await self._keys.complete(self._connection, claim, answer)

    async def publish(self, *events: Event) -> None:
        await _outbox.add(self._connection, *map(self._to_message, events))


class SqlStorage:
    """See `application.Storage`."""

    def __init__(self, database: Database, keys: IdempotencyKeys, to_message: Callable[[Event], Message]) -> None:
        self._database = database
        self._keys = keys
        self._to_message = to_message

    @asynccontextmanager
    async def begin(self, handling: UUID | None = None) -> AsyncIterator[SqlUnitOfWork]:
        async with self._database.transaction() as connection:
            if handling is not None:
                await _inbox.accept(connection, handling)
            yield SqlUnitOfWork(connection, self._keys, self._to_message)

    async def stocks(self, isbns: Sequence[str]) -> list[Stock]:
        async with self._database.autocommit() as connection:
            rows = await connection.execute(statements.STOCKS, {"isbns": list(isbns)})
            return [Stock(*row) for row in rows]

    async def forget_old(self) -> None:
        """Delete inbox rows and idempotency keys past their time."""
        async with self._database.autocommit() as connection:
            await _inbox.forget_old(connection)
            await self._keys.forget_old(connection)


def _reservations(rows: Iterable[Any]) -> list[Reservation]:
    """One reservation from each group of rows that differ in their line only."""
    lines: dict[UUID, dict[str, int]] = {}
    heads: dict[UUID, Any] = {}
    for row in rows:
        heads[row.order_id] = row
        lines.setdefault(row.order_id, {}).update({row.line: row.quantity} if row.line is not None else {})
    return [_reservation(row, lines[order_id]) for order_id, row in heads.items()]


def _reservation(row: Any, lines: Mapping[str, int]) -> Reservation:
    reason = None if row.reason is None else Reason(row.reason)
    return Reservation(row.order_id, State(row.state), row.version, lines, reason, row.isbn, row.expires_at)


def _full() -> StockFull:
    return StockFull(f"there may never be more than {MAX_RECEIVED} copies of a book")


def _first(change: Change) -> dict[str, Any]:
    """Parameters of a statement that inserts a reservation."""
    new = change.after
    row = {name: values[0] for name, values in _columns([new]).items()}
    return {**row, "isbns": list(new.lines), "quantities": list(new.lines.values()), **_moves([change])}


def _columns(reservations: Sequence[Reservation]) -> dict[str, list[Any]]:
    return {f"new_{column.name}": [getattr(r, column.name) for r in reservations] for column in statements.LOADED}


def _moves(changes: Sequence[Change]) -> dict[str, list[Any]]:
    moves = movements(changes)
    return {
        "move_isbns": list(moves),
        "add_on_hand": [move.on_hand for move in moves.values()],
        "add_reserved": [move.reserved for move in moves.values()],
    }
