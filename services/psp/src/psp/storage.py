"""Tables and queries of the ledger."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.storage import Database
from psp.domain import Charge, ChargeRequest, ChargeState, Refund

metadata = sa.MetaData()
_time = sa.DateTime(timezone=True)

charge = sa.Table(
    "charge",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("key", sa.Text, nullable=False, unique=True),
    sa.Column("amount", sa.BigInteger, nullable=False),
    sa.Column("currency", sa.Text, nullable=False),
    sa.Column("card_token", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("reason", sa.Text),
    sa.Column("refunded", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("created_at", _time, nullable=False),
    sa.CheckConstraint("amount > 0", name="charge_amount_positive"),
    sa.CheckConstraint("state IN ('charged', 'declined')", name="charge_state"),
    sa.CheckConstraint(
        "refunded BETWEEN 0 AND CASE state WHEN 'charged' THEN amount ELSE 0 END", name="charge_refunded_at_most"
    ),
)
refund = sa.Table(
    "refund",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("charge_id", sa.Uuid, sa.ForeignKey("charge.id"), nullable=False, index=True),
    sa.Column("key", sa.Text, nullable=False, unique=True),
    sa.Column("amount", sa.BigInteger, nullable=False),
    sa.Column("created_at", _time, nullable=False),
    sa.CheckConstraint("amount > 0", name="refund_amount_positive"),
)
# Keys of the card that is refused once; a charge leaves no other trace before it is in the ledger.
refusal = sa.Table("refusal", metadata, sa.Column("key", sa.Text, primary_key=True))

_ADD_CHARGE = insert(charge).on_conflict_do_nothing(index_elements=[charge.c.key]).returning(charge.c.id)
_ADD_REFUND = insert(refund).on_conflict_do_nothing(index_elements=[refund.c.key]).returning(refund.c.id)
_ADD_REFUSAL = insert(refusal).on_conflict_do_nothing().returning(refusal.c.key)
_BY_KEY = sa.select(charge).where(charge.c.key == sa.bindparam("of"))
_BY_ID = sa.select(charge).where(charge.c.id == sa.bindparam("of"))
_LOCK = _BY_ID.with_for_update()
_REFUND_BY_KEY = sa.select(refund).where(refund.c.key == sa.bindparam("of"))
_SAVE = sa.update(charge).where(charge.c.id == sa.bindparam("of")).values(refunded=sa.bindparam("given_back"))


class SqlUnitOfWork:
    """One transaction."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def lock(self, charge_id: UUID) -> Charge | None:
        row = (await self._connection.execute(_LOCK, {"of": charge_id})).one_or_none()
        return None if row is None else _charge(row)

    async def refund_by_key(self, key: str) -> Refund | None:
        row = (await self._connection.execute(_REFUND_BY_KEY, {"of": key})).one_or_none()
        return None if row is None else Refund(row.id, row.charge_id, row.key, row.amount, row.created_at)

    async def add(self, new: Refund) -> bool:
        values = {c.name: getattr(new, c.name) for c in refund.c}
        return await self._connection.scalar(_ADD_REFUND, values) is not None

    async def save(self, changed: Charge) -> None:
        await self._connection.execute(_SAVE, {"of": changed.id, "given_back": changed.refunded})


class SqlLedger:
    """Charges are inserted and never changed but for what was refunded of them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[SqlUnitOfWork]:
        async with self._database.transaction() as connection:
            yield SqlUnitOfWork(connection)

    async def add(self, new: Charge) -> bool:
        async with self._database.autocommit() as connection:
            return await connection.scalar(_ADD_CHARGE, _row(new)) is not None

    async def first_refusal(self, key: str) -> bool:
        async with self._database.autocommit() as connection:
            return await connection.scalar(_ADD_REFUSAL, {"key": key}) is not None

    async def by_key(self, key: str) -> Charge | None:
        return await self._one(_BY_KEY, key)

    async def by_id(self, charge_id: UUID) -> Charge | None:
        return await self._one(_BY_ID, charge_id)

    async def _one(self, query: sa.Select[Any], of: str | UUID) -> Charge | None:
        async with self._database.autocommit() as connection:
            row = (await connection.execute(query, {"of": of})).one_or_none()
        return None if row is None else _charge(row)


def _row(new: Charge) -> dict[str, Any]:
    return {
        "id": new.id,
        "key": new.key,
        "amount": new.request.amount,
        "currency": new.request.currency,
        "card_token": new.request.card_token,
        "state": new.state,
        "reason": new.reason,
        "refunded": new.refunded,
        "created_at": new.created_at,
    }


def _charge(row: sa.Row[Any]) -> Charge:
    request = ChargeRequest(row.amount, row.currency, row.card_token)
    return Charge(row.id, row.key, request, ChargeState(row.state), row.reason, row.created_at, row.refunded)
