"""Use cases of identity: accounts and their logins, signing keys and their rotation."""

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol
from uuid import UUID

from uuid_utils.compat import uuid7

from chassis.idempotency import Answer, Claim
from identity.domain import (
    TOKEN_LIFE,
    Account,
    AccountUnknown,
    InvalidCredentials,
    KeyRing,
    LoginAttempt,
    LoginLimits,
    NoSigningKey,
    PasswordsBusy,
    SigningKey,
    Throttle,
    normalise_email,
)

Clock = Callable[[], datetime]
Ids = Callable[[], UUID]


class UnitOfWork(Protocol):
    """One transaction."""

    async def add_account(self, account: Account) -> None: ...
    async def put_operator(self, account: Account) -> None: ...
    async def change_password(self, account_id: UUID, password_hash: str) -> None: ...
    async def complete(self, claim: Claim, answer: Answer) -> None: ...
    async def lock_throttles(self, account: str, address: str) -> tuple[Throttle, Throttle]: ...
    async def keep_throttle(self, subject: str, throttle: Throttle) -> None: ...
    async def lock_keys(self) -> KeyRing: ...
    async def add_key(self, key: SigningKey) -> None: ...
    async def delete_key(self, kid: str) -> None: ...


class Storage(Protocol):
    """Leaving `begin` commits; the reads stand alone."""

    def begin(self) -> AbstractAsyncContextManager[UnitOfWork]: ...
    async def account(self, account_id: UUID) -> Account | None: ...
    async def account_by_email(self, email: str) -> Account | None: ...
    async def keys(self) -> KeyRing: ...


class Passwords(Protocol):
    """Slow hashes. Both methods raise `PasswordsBusy` when too many wait."""

    async def hash(self, password: str) -> str: ...
    async def verify(self, password: str, password_hash: str | None) -> tuple[bool, str | None]:
        """Right or wrong, and a better hash to keep. Without a hash: wrong, after the same time."""


class Signer(Protocol):
    """The cryptography of access tokens."""

    def new_key(self, created_at: datetime, activates_at: datetime) -> SigningKey: ...
    def sign(self, key: SigningKey, claims: Mapping[str, Any]) -> str: ...
    def public(self, key: SigningKey) -> dict[str, Any]: ...


def utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class Issuer:
    """Who signs tokens, and for whom."""

    name: str
    audience: str


@dataclass(frozen=True)
class NewCustomer:
    """What somebody registers with."""

    email: str
    name: str
    password: str = field(repr=False)


class Accounts:
    """Registering, logging in, and the operator that the deployment names."""

    def __init__(
        self,
        storage: Storage,
        passwords: Passwords,
        limits: LoginLimits | None = None,
        clock: Clock = utc_now,
        ids: Ids = uuid7,
    ) -> None:
        self._storage = storage
        self._passwords = passwords
        self._limits = limits or LoginLimits()
        self._clock = clock
        self._ids = ids

    async def register(self, new: NewCustomer, render: Callable[[Account], Answer], claim: Claim | None) -> Answer:
        """Make a customer; with `claim` the answer is kept with it. Raises `EmailTaken`."""
        password_hash = await self._passwords.hash(new.password)
        account = Account(self._ids(), normalise_email(new.email), new.name, password_hash)
        answer = render(account)
        async with self._storage.begin() as work:
            await work.add_account(account)
            if claim is not None:
                await work.complete(claim, answer)
        return answer

    async def log_in(self, email: str, password: str, address: str) -> Account:
        """Raises `InvalidCredentials` or `LoginThrottled`: the same, after the same work, for unknown addresses."""
        email = normalise_email(email)
        attempt = LoginAttempt.of(email, address)
        await self._count(attempt)
        account = await self._storage.account_by_email(email)
        try:
            right, better_hash = await self._passwords.verify(password, account.password_hash if account else None)
        except PasswordsBusy:
            await self._forgive(attempt)
            raise
        if account is None or not right:
            raise InvalidCredentials("The e-mail address or the password is wrong")
        await self._welcome(attempt, account, better_hash)
        return account

    async def profile(self, account_id: UUID) -> Account:
        """Raises `AccountUnknown`."""
        account = await self._storage.account(account_id)
        if account is None:
            raise AccountUnknown("There is no such account")
        return account

    async def ensure_operator(self, email: str, password: str) -> None:
        """Make the operator, or give the account its role and password; writes nothing when all is so already.

        Whoever had registered the address before loses the account: addresses are not proven, settings are.
        """
        email = normalise_email(email)
        known = await self._storage.account_by_email(email)
        if known is not None and known.operator:
            right, better_hash = await self._passwords.verify(password, known.password_hash)
            if right and better_hash is None:
                return
        account = Account(self._ids(), email, "Operator", await self._passwords.hash(password), operator=True)
        async with self._storage.begin() as work:
            await work.put_operator(account)

    async def _count(self, attempt: LoginAttempt) -> None:
        now = self._clock()
        async with self._storage.begin() as work:
            account, address = await work.lock_throttles(attempt.account, attempt.address)
            await work.keep_throttle(attempt.account, account.attempt(self._limits.account, now))
            await work.keep_throttle(attempt.address, address.attempt(self._limits.address, now))

    async def _forgive(self, attempt: LoginAttempt) -> None:
        async with self._storage.begin() as work:
            account, address = await work.lock_throttles(attempt.account, attempt.address)
            await work.keep_throttle(attempt.account, account.forgive(self._limits.account))
            await work.keep_throttle(attempt.address, address.forgive(self._limits.address))

    async def _welcome(self, attempt: LoginAttempt, account: Account, better_hash: str | None) -> None:
        """The address gets back this attempt only: an attacker has an account of his own, too."""
        async with self._storage.begin() as work:
            of_account, of_address = await work.lock_throttles(attempt.account, attempt.address)
            await work.keep_throttle(attempt.account, of_account.reset())
            await work.keep_throttle(attempt.address, of_address.forgive(self._limits.address))
            if better_hash is not None:
                await work.change_password(account.id, better_hash)


class SigningKeys:
    """Signing, publishing and rotating. Replicas take turns; whoever comes second finds the work done."""

    def __init__(
        self,
        storage: Storage,
        signer: Signer,
        issuer: Issuer,
        clock: Clock = utc_now,
        ids: Ids = uuid7,
    ) -> None:
        self._storage = storage
        self._signer = signer
        self._issuer = issuer
        self._clock = clock
        self._ids = ids

    async def issue(self, account: Account) -> str:
        """An access token (RFC 9068) for ten minutes."""
        now = self._clock()
        key = (await self._storage.keys()).signing(now)
        claims = {
            "iss": self._issuer.name,
            "aud": self._issuer.audience,
            "sub": str(account.id),
            "roles": list(account.roles),
            "iat": int(now.timestamp()),
            "exp": int((now + TOKEN_LIFE).timestamp()),
            "jti": str(self._ids()),
        }
        return self._signer.sign(key, claims)

    async def published(self) -> dict[str, Any]:
        """The public keys as a JWKS document (RFC 7517), the newest first. Raises `NoSigningKey`."""
        keys = (await self._storage.keys()).published(self._clock())
        if not keys:
            raise NoSigningKey("The signing keys are being made; ask again in a moment")
        return {"keys": [self._signer.public(key) for key in reversed(keys)]}

    async def rotate(self) -> SigningKey:
        """Publish a new key, which signs after a delay. While one waits for that, it is the answer again."""
        async with self._storage.begin() as work:
            ring = await work.lock_keys()
            return ring.pending(self._clock()) or await self._add(work, ring)

    async def rotate_if_due(self, rotate_after: timedelta) -> None:
        """Make the first key, or the next when the newest is older than `rotate_after`."""
        if not (await self._storage.keys()).due(rotate_after, self._clock()):
            return
        async with self._storage.begin() as work:
            ring = await work.lock_keys()
            if ring.due(rotate_after, self._clock()):
                await self._add(work, ring)

    async def _add(self, work: UnitOfWork, ring: KeyRing) -> SigningKey:
        now = self._clock()
        key = self._signer.new_key(now, ring.next_activation(now))
        await work.add_key(key)
        for old in KeyRing((*ring.keys, key)).retired(now):
            await work.delete_key(old.kid)
        return key
