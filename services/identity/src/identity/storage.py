"""Tables and queries of identity. Private keys arrive sealed, passwords hashed: nothing here could open either."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.idempotency import Answer, Claim, IdempotencyKeys, idempotency_table
from chassis.inbox import Inbox, inbox_table
from chassis.storage import Database
from identity.domain import Account, EmailTaken, KeyRing, SigningKey, Throttle

_KEYS_LOCK = 7_263_101
_FORGET_ATTEMPTS = timedelta(hours=1)  # longer than their window, and than any block

metadata = sa.MetaData()
# Above any number that the old shop gives out by itself: both give numbers until it is gone.
numbers = sa.Sequence("account_number", start=1_000_001, metadata=metadata)

account = sa.Table(
    "account",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("email", sa.Text, nullable=False, unique=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("password_hash", sa.Text, nullable=False),
    sa.Column("operator", sa.Boolean, nullable=False),
    sa.Column("created_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
    sa.Column("number", sa.BigInteger, nullable=False, server_default=numbers.next_value()),
    sa.Column("legacy_version", sa.BigInteger, nullable=False, server_default="0"),
    sa.UniqueConstraint("number", name="account_number_key"),
    sa.CheckConstraint("email = lower(email)", name="account_email_normal"),
)

login_attempt = sa.Table(
    "login_attempt",
    metadata,
    sa.Column("subject", sa.Text, primary_key=True),
    sa.Column("failures", sa.Integer, nullable=False),
    sa.Column("last_attempt", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now(), index=True),
    sa.Column("blocked_until", sa.DateTime(timezone=True)),
)

signing_key = sa.Table(
    "signing_key",
    metadata,
    sa.Column("kid", sa.Text, primary_key=True),
    sa.Column("public", sa.LargeBinary, nullable=False),
    sa.Column("sealed", sa.LargeBinary, nullable=False),
    sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("activates_at", sa.DateTime(timezone=True), nullable=False),
)

idempotency_key = idempotency_table(metadata)
inbox = inbox_table(metadata)
_inbox = Inbox(inbox)

_FIELDS = ("id", "email", "name", "password_hash", "number", "operator", "legacy_version")
_account = sa.select(*(account.c[name] for name in _FIELDS))
_by_id = _account.where(account.c.id == sa.bindparam("wanted"))
_by_email = _account.where(account.c.email == sa.bindparam("wanted"))
_by_number = _account.where(account.c.number == sa.bindparam("wanted"))
_lock_by_id, _lock_by_email = _by_id.with_for_update(), _by_email.with_for_update()
_next_number = sa.select(numbers.next_value())
_add_account = (
    insert(account).on_conflict_do_nothing(index_elements=[account.c.email]).returning(sa.literal(value=True))
)
_new_operator = insert(account)
_put_operator = _new_operator.on_conflict_do_update(
    index_elements=[account.c.email],
    set_={name: _new_operator.excluded[name] for name in ("name", "password_hash", "operator")},
)
_new_follower = insert(account)
_follow_legacy = _new_follower.on_conflict_do_update(
    index_elements=[account.c.id],
    set_={name: _new_follower.excluded[name] for name in _FIELDS if name not in ("id", "operator")},
    where=account.c.legacy_version <= _new_follower.excluded.legacy_version,
)
_change_password = (
    sa.update(account).where(account.c.id == sa.bindparam("of")).values(password_hash=sa.bindparam("better"))
)

# Writes nothing new where the row exists, but locks it and returns it: one round trip instead of two.
_new_attempt = insert(login_attempt).values(subject=sa.bindparam("of"), failures=0)
_lock_attempt = _new_attempt.on_conflict_do_update(
    index_elements=[login_attempt.c.subject], set_={"subject": login_attempt.c.subject}
).returning(login_attempt.c.failures, login_attempt.c.last_attempt, login_attempt.c.blocked_until)
_keep_attempt = (
    sa.update(login_attempt)
    .where(login_attempt.c.subject == sa.bindparam("of"))
    .values(
        failures=sa.bindparam("now_failures"),
        last_attempt=sa.func.coalesce(sa.bindparam("attempted", type_=sa.DateTime(timezone=True)), sa.func.now()),
        blocked_until=sa.bindparam("until", type_=sa.DateTime(timezone=True)),
    )
)
_forget_attempts = sa.delete(login_attempt).where(login_attempt.c.last_attempt < sa.func.now() - _FORGET_ATTEMPTS)

_keys = sa.select(signing_key).order_by(signing_key.c.activates_at, signing_key.c.created_at)
_add_key = sa.insert(signing_key)
_delete_key = sa.delete(signing_key).where(signing_key.c.kid == sa.bindparam("named"))
_take_turns = sa.select(sa.func.pg_advisory_xact_lock(_KEYS_LOCK))


class SqlUnitOfWork:
    """One transaction; behind `application.UnitOfWork`."""

    def __init__(self, connection: AsyncConnection, idempotency: IdempotencyKeys) -> None:
        self._connection = connection
        self._idempotency = idempotency

    async def next_number(self) -> int:
        return int(await self._connection.scalar(_next_number) or 0)

    async def lock_account(self, account_id: UUID) -> Account | None:
        return await _one(self._connection, _lock_by_id, account_id)

    async def lock_by_email(self, email: str) -> Account | None:
        return await _one(self._connection, _lock_by_email, email)

    async def follow_legacy(self, followed: Account) -> None:
        """Raises `EmailTaken`."""
        try:
            await self._connection.execute(_follow_legacy, _row(followed))
        except IntegrityError as error:
            raise EmailTaken("An account with this e-mail address exists") from error

    async def add_account(self, new: Account) -> None:
        """Raises `EmailTaken`."""
        if await self._connection.scalar(_add_account, _row(new)) is None:
            raise EmailTaken("An account with this e-mail address exists")

    async def put_operator(self, operator: Account) -> None:
        """Make the account, or make the one with this e-mail address this operator (it keeps its id)."""
        await self._connection.execute(_put_operator, _row(operator))

    async def change_password(self, account_id: UUID, password_hash: str) -> None:
        await self._connection.execute(_change_password, {"of": account_id, "better": password_hash})

    async def complete(self, claim: Claim, answer: Answer) -> None:
        await self._idempotency.complete(self._connection, claim, answer)

    async def lock_throttles(self, account: str, address: str) -> tuple[Throttle, Throttle]:
        """Both, held until the transaction ends. Always in this order, so that no two logins wait for each other."""
        return await self._lock_throttle(account), await self._lock_throttle(address)

    async def keep_throttle(self, subject: str, throttle: Throttle) -> None:
        values = {"now_failures": throttle.failures, "attempted": throttle.last_attempt}
        await self._connection.execute(_keep_attempt, {"of": subject, "until": throttle.blocked_until, **values})

    async def lock_keys(self) -> KeyRing:
        """The keys as they stay until the transaction ends, whatever other replicas want."""
        await self._connection.execute(_take_turns)
        return await _key_ring(self._connection)

    async def add_key(self, key: SigningKey) -> None:
        times = {"created_at": key.created_at, "activates_at": key.activates_at}
        await self._connection.execute(_add_key, {"kid": key.kid, "public": key.public, "sealed": key.sealed, **times})

    async def delete_key(self, kid: str) -> None:
        await self._connection.execute(_delete_key, {"named": kid})

    async def _lock_throttle(self, subject: str) -> Throttle:
        row = (await self._connection.execute(_lock_attempt, {"of": subject})).one()
        return Throttle(row.failures, row.last_attempt, row.blocked_until)


class SqlStorage:
    """Behind `application.Storage`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.idempotency = IdempotencyKeys(database, idempotency_key)

    @asynccontextmanager
    async def begin(self, handling: UUID | None = None) -> AsyncIterator[SqlUnitOfWork]:
        async with self._database.transaction() as connection:
            if handling is not None:
                await _inbox.accept(connection, handling)
            yield SqlUnitOfWork(connection, self.idempotency)

    async def account(self, account_id: UUID) -> Account | None:
        return await self._read(_by_id, account_id)

    async def account_by_email(self, email: str) -> Account | None:
        return await self._read(_by_email, email)

    async def account_by_number(self, number: int) -> Account | None:
        return await self._read(_by_number, number)

    async def keys(self) -> KeyRing:
        async with self._database.autocommit() as connection:
            return await _key_ring(connection)

    async def forget_old(self) -> None:
        """Delete login attempts, idempotency keys and ids of messages that no longer matter."""
        async with self._database.transaction() as connection:
            await connection.execute(_forget_attempts)
            await self.idempotency.forget_old(connection)
            await _inbox.forget_old(connection)

    async def _read(self, query: sa.Select[Any], wanted: UUID | str | int) -> Account | None:
        async with self._database.autocommit() as connection:
            return await _one(connection, query, wanted)


async def _one(connection: AsyncConnection, query: sa.Select[Any], wanted: UUID | str | int) -> Account | None:
    row = (await connection.execute(query, {"wanted": wanted})).one_or_none()
    return None if row is None else Account(*row)


async def _key_ring(connection: AsyncConnection) -> KeyRing:
    return KeyRing(tuple(SigningKey(*row) for row in await connection.execute(_keys)))


def _row(new: Account) -> dict[str, object]:
    return {name: getattr(new, name) for name in _FIELDS}
