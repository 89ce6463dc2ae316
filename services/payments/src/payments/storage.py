"""Tables and queries of payments."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.inbox import Inbox, inbox_table
from chassis.messages import Message
from chassis.outbox import Outbox, outbox_table
from chassis.storage import Database
from payments.domain import Overtaken, Payment, PaymentEvent, PaymentState

metadata = sa.MetaData()
_time = sa.DateTime(timezone=True)

payment = sa.Table(
    "payment",
    metadata,
    sa.Column("order_id", sa.Uuid, primary_key=True),
    sa.Column("customer_id", sa.Uuid),
    sa.Column("amount", sa.BigInteger, nullable=False),
    sa.Column("currency", sa.Text, nullable=False),
    sa.Column("card_token", sa.Text),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("charge_id", sa.Uuid, unique=True),
    sa.Column("reason", sa.Text),
    sa.Column("submitted_at", _time),
    sa.Column("created_at", _time, nullable=False),
    sa.Column("updated_at", _time, nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.CheckConstraint(
        "state IN ('open', 'charged', 'declined', 'voided', 'refunding', 'refunded')", name="payment_state"
    ),
    sa.CheckConstraint("amount >= 0", name="payment_amount_not_negative"),
    sa.CheckConstraint(
        "(state IN ('charged', 'refunding', 'refunded')) = (charge_id IS NOT NULL)", name="payment_charge_known"
    ),
    sa.CheckConstraint("state = 'open' OR card_token IS NULL", name="payment_card_forgotten"),
)
outbox = outbox_table(metadata)
inbox = inbox_table(metadata)

_ADD = insert(payment).on_conflict_do_nothing(index_elements=[payment.c.order_id]).returning(payment.c.order_id)
_LOAD = sa.select(payment).where(payment.c.order_id == sa.bindparam("of"))
_CHANGING = ("state", "charge_id", "reason", "card_token", "submitted_at", "updated_at", "version")
_REPLACE = (
    sa.update(payment)
    .where(payment.c.order_id == sa.bindparam("of"), payment.c.version == sa.bindparam("read_version"))
    .values({name: sa.bindparam(f"new_{name}") for name in _CHANGING})
)

Encode = Callable[[PaymentEvent], Message]


class SqlUnitOfWork:
    """One transaction."""

    def __init__(self, connection: AsyncConnection, encode: Encode) -> None:
        self._connection = connection
        self._encode = encode
        self._outbox = Outbox(outbox)

    async def add(self, new: Payment) -> None:
        if await self._connection.scalar(_ADD, _row(new)) is None:
            raise Overtaken(f"the payment of order {new.order_id} was changed meanwhile")

    async def replace(self, changed: Payment) -> None:
        values = {f"new_{name}": getattr(changed, name) for name in _CHANGING}
        of = {"of": changed.order_id, "read_version": changed.version - 1}
        if (await self._connection.execute(_REPLACE, {**values, **of})).rowcount != 1:
            raise Overtaken(f"the payment of order {changed.order_id} was changed meanwhile")

    async def publish(self, event: PaymentEvent) -> None:
        await self._outbox.add(self._connection, self._encode(event))


class SqlStorage:
    """Opens transactions and answers questions. `encode` turns events into messages."""

    def __init__(self, database: Database, encode: Encode) -> None:
        self._database = database
        self._encode = encode
        self._inbox = Inbox(inbox)

    @asynccontextmanager
    async def begin(self, handling: UUID | None = None) -> AsyncIterator[SqlUnitOfWork]:
        async with self._database.transaction() as connection:
            if handling is not None:
                await self._inbox.accept(connection, handling)
            yield SqlUnitOfWork(connection, self._encode)

    async def add_first(self, new: Payment) -> bool:
        """Store a payment unless the order has one; False if it has. One statement is a transaction by itself."""
        async with self._database.autocommit() as connection:
            return await connection.scalar(_ADD, _row(new)) is not None

    async def load(self, order_id: UUID) -> Payment | None:
        async with self._database.autocommit() as connection:
            row = (await connection.execute(_LOAD, {"of": order_id})).one_or_none()
        return None if row is None else _payment(row)

    async def forget_old(self) -> None:
        """Delete what the inbox need no longer hold."""
        async with self._database.transaction() as connection:
            await self._inbox.forget_old(connection)


def _row(new: Payment) -> dict[str, Any]:
    return {column.name: getattr(new, column.name) for column in payment.c}


def _payment(row: sa.Row[Any]) -> Payment:
    return Payment(**{**row._mapping, "state": PaymentState(row.state)})
