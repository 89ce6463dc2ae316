"""The recorded changes, and how far they are published."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from bridge.domain import Change
from bridge.storage.tables import change, chunk, position

RETENTION = timedelta(days=1)  # as an outbox keeps what it has published
CLEAN_AT_ONCE = 5000

_columns = sa.select(
    change.c.id,
    sa.cast(change.c.tx, sa.Text).label("tx"),
    change.c.at,
    change.c.tbl,
    change.c.op,
    # As text: a number in JSON is no float here, for amounts are among them.
    sa.cast(change.c.old, sa.Text).label("old"),
    sa.cast(change.c.new, sa.Text).label("new"),
    change.c.origin,
).order_by(change.c.id)
_after = sa.bindparam("after", type_=sa.BigInteger)
_of_tx = sa.bindparam("tx", type_=sa.Text)
_page = _columns.where(change.c.id > _after).limit(sa.bindparam("limit"))
_next_tx = (
    sa.select(sa.func.min(change.c.id)).where(change.c.id > _after, sa.cast(change.c.tx, sa.Text) != _of_tx)
).scalar_subquery()
_tail = _columns.where(change.c.id > _after, change.c.id < sa.func.coalesce(_next_tx, 2**63 - 1))
_position = sa.select(position.c.id)
_newest = sa.select(sa.func.max(change.c.id)).scalar_subquery()
# Whoever leads after us may have come further already.
_advance = sa.update(position).values(
    id=sa.func.greatest(position.c.id, sa.bindparam("to")),
    suppressed=position.c.suppressed + sa.bindparam("suppressing"),
)
_oldest_open = (
    sa.select(sa.func.extract("epoch", sa.func.clock_timestamp() - change.c.at))
    .where(change.c.id > position.c.id)
    .order_by(change.c.id)
    .limit(1)
    .scalar_subquery()
)
_state = sa.select(_newest.label("captured"), position.c.id, position.c.suppressed, _oldest_open.label("lag"))
_front = sa.select(change.c.id).order_by(change.c.id).limit(CLEAN_AT_ONCE).correlate(None)
# Below the position: what is not published stays however old it is, and so does the last row, the snapshot's watermark.
_forget = sa.delete(change).where(
    change.c.id.in_(_front),
    change.c.id < sa.select(position.c.id).scalar_subquery(),
    change.c.at < sa.func.now() - RETENTION,
)
_forget_chunks = sa.delete(chunk).where(chunk.c.at < sa.func.now() - RETENTION)


@dataclass(frozen=True)
class FeedState:
    """`captured`, `published`: the newest change, and the newest that is on the bus; `lag` in seconds."""

    captured: int
    published: int
    suppressed: int
    lag: float


async def read_position(connection: AsyncConnection) -> int:
    """The id of the last change that is published."""
    return int((await connection.execute(_position)).scalar_one())


async def read_after(connection: AsyncConnection, after: int, limit: int) -> list[Change]:
    """The oldest changes above `after`, about `limit` of them: always whole transactions.

    A transaction's changes stand together, for it holds the lock from its first one to its end.
    """
    rows = list((await connection.execute(_page, {"after": after, "limit": limit})).all())
    if len(rows) == limit:
        rows += (await connection.execute(_tail, {"after": rows[-1].id, "tx": rows[-1].tx})).all()
    return [_change(row) for row in rows]


async def advance(connection: AsyncConnection, to: int, suppressed: int) -> None:
    """Everything up to `to` is published; `suppressed` of it were echoes, and were not."""
    await connection.execute(_advance, {"to": to, "suppressing": suppressed})


async def read_state(connection: AsyncConnection) -> FeedState:
    """How far bridge has come."""
    row = (await connection.execute(_state)).one()
    return FeedState(row.captured, row.id, row.suppressed, float(row.lag or 0))


async def forget_old(connection: AsyncConnection) -> bool:
    """Delete the oldest published changes, a few thousand at most, and what conflicts with them could be asked.

    True when it was as many as it may be: there are probably more.
    """
    forgotten = (await connection.execute(_forget)).rowcount
    await connection.execute(_forget_chunks)
    return forgotten >= CLEAN_AT_ONCE


def transactions(changes: Sequence[Change]) -> list[list[Change]]:
    """Split by transaction, in order."""
    result: list[list[Change]] = []
    for each in changes:
        if not result or result[-1][0].tx != each.tx:
            result.append([])
        result[-1].append(each)
    return result


def _change(row: sa.Row[Any]) -> Change:
    return Change(row.id, row.tx, row.at, row.tbl, row.op, _document(row.old), _document(row.new), row.origin)


def _document(text: str | None) -> Any:
    return None if text is None else json.loads(text, parse_float=Decimal)
