"""Idempotency keys: the same key and body give the same answer, whoever lost the first one on the way.

A key is claimed before the work, in a statement of its own, and completed in the transaction of the effect. A claim
whose holder died is taken over after `LEASE`; the answer of a finished one is replayed for a day.
"""

import contextlib
import hashlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated

import sqlalchemy as sa
from fastapi import Header, Response
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.errors import DependencyUnavailable, Problem
from chassis.storage import Database

LEASE = timedelta(seconds=15)  # longer than the gateway lets any request take
RETENTION = timedelta(days=1)

IdempotencyKey = Annotated[str, Header(min_length=1, max_length=128, pattern=r"^[\x21-\x7e]+$")]


class RequestInProgress(Exception):
    """A request with this key is still running."""


class KeyReused(Exception):
    """The key was used before, with another body."""


PROBLEMS: Mapping[type[Exception], Problem] = {
    RequestInProgress: Problem(409, "request-in-progress", "A request with this key is still running"),
    KeyReused: Problem(422, "idempotency-key-reused", "The key was used before with another body"),
}


@dataclass(frozen=True)
class Answer:
    """What the first request was answered, to be given again."""

    status: int
    body: bytes
    location: str | None = None

    def response(self) -> Response:
        headers = {} if self.location is None else {"Location": self.location}
        return Response(self.body, self.status, headers, "application/json")


@dataclass(frozen=True)
class Claim:
    """The right to do the work of one key; `answer` is set when it is done already."""

    caller: str
    key: str
    answer: Answer | None = None


def idempotency_table(metadata: sa.MetaData) -> sa.Table:
    """The table's definition, for a service's metadata and migration."""
    return sa.Table(
        "idempotency_key",
        metadata,
        sa.Column("caller", sa.Text, primary_key=True),
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("fingerprint", sa.LargeBinary, nullable=False),
        sa.Column("claimed_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now(), index=True),
        sa.Column("status", sa.SmallInteger),
        sa.Column("location", sa.Text),
        sa.Column("body", sa.LargeBinary),
    )


class IdempotencyKeys:
    """The keys of one service, each belonging to the caller that chose it."""

    def __init__(self, database: Database, table: sa.Table) -> None:
        self._database = database
        self._table = table
        stale = sa.and_(table.c.status.is_(None), table.c.claimed_at < sa.func.now() - LEASE)
        claim = insert(table)
        self._claim = claim.on_conflict_do_update(
            index_elements=[table.c.caller, table.c.key],
            set_={"claimed_at": sa.func.now()},
            where=sa.and_(stale, table.c.fingerprint == claim.excluded.fingerprint),
        ).returning(table.c.key)
        self._mine = sa.and_(table.c.caller == sa.bindparam("of"), table.c.key == sa.bindparam("named"))
        unfinished = sa.update(table).where(self._mine, table.c.status.is_(None))
        self._complete = unfinished.values(
            status=sa.bindparam("answered"), body=sa.bindparam("sent"), location=sa.bindparam("found_at")
        )

    @contextlib.asynccontextmanager
    async def claim(self, caller: str, key: str, body: bytes) -> AsyncIterator[Claim]:
        """Claim the key for the block; an exception in the block, or its cancellation, gives the key back.

        `body` is what the request asks for, in a form that is equal for equal requests. Raises `RequestInProgress`
        or `KeyReused`.
        """
        claim = await self._take(caller, key, hashlib.sha256(body).digest())
        try:
            yield claim
        except BaseException:
            # Safe when the transaction was cancelled in its COMMIT: a key that has an answer is not given back.
            if claim.answer is None:
                with contextlib.suppress(DependencyUnavailable):
                    await self._release(claim)
            raise

    async def complete(self, connection: AsyncConnection, claim: Claim, answer: Answer) -> None:
        """Store the answer within the transaction of the effect."""
        values = {"answered": answer.status, "sent": answer.body, "found_at": answer.location}
        result = await connection.execute(self._complete, {"of": claim.caller, "named": claim.key, **values})
        if result.rowcount != 1:
            raise RequestInProgress("the claim ran out, and another request took it over")

    async def forget_old(self, connection: AsyncConnection) -> None:
        """Delete keys after a day."""
        await connection.execute(sa.delete(self._table).where(self._table.c.claimed_at < sa.func.now() - RETENTION))

    async def _take(self, caller: str, key: str, fingerprint: bytes) -> Claim:
        async with self._database.autocommit() as connection:
            row = {"caller": caller, "key": key, "fingerprint": fingerprint}
            if await connection.scalar(self._claim, row) is not None:
                return Claim(caller, key)
            query = sa.select(self._table).where(self._mine)
            known = (await connection.execute(query, {"of": caller, "named": key})).one_or_none()
        if known is not None and known.fingerprint != fingerprint:
            raise KeyReused("Choose a new key for a new request")
        if known is None or known.status is None:
            raise RequestInProgress("Ask again in a moment")
        return Claim(caller, key, Answer(known.status, known.body, known.location))

    async def _release(self, claim: Claim) -> None:
        unfinished = sa.delete(self._table).where(self._mine, self._table.c.status.is_(None))
        async with self._database.autocommit() as connection:
            await connection.execute(unfinished, {"of": claim.caller, "named": claim.key})
