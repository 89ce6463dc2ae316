"""The use cases with fakes round them: what they ask for, and what they leave behind."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from chassis.idempotency import Answer, Claim
from identity.application import Accounts, Issuer, NewCustomer, SigningKeys
from identity.domain import (
    Account,
    EmailTaken,
    InvalidCredentials,
    KeyRing,
    LoginThrottled,
    PasswordsBusy,
    SigningKey,
    Throttle,
)

NOON = datetime(2026, 7, 1, 12, tzinfo=UTC)
ADA = NewCustomer("Ada@example.org", "Ada", "correct horse")


@dataclass
class FakePasswords:
    """A hash is the password backwards. Remembers what it was asked to verify against."""

    busy: bool = False
    asked: list[str | None] = field(default_factory=list)

    async def hash(self, password: str) -> str:
        return password[::-1]

    async def verify(self, password: str, password_hash: str | None) -> tuple[bool, str | None]:
        self.asked.append(password_hash)
        if self.busy:
            raise PasswordsBusy
        return password_hash == password[::-1], None


@dataclass
class FakeStorage:
    """Accounts, attempts and keys in memory, storage and unit of work in one; counts what is written."""

    accounts: dict[str, Account] = field(default_factory=dict)
    attempts: dict[str, Throttle] = field(default_factory=dict)
    ring: list[SigningKey] = field(default_factory=list)
    completed: list[Answer] = field(default_factory=list)
    account_writes: int = 0

    @asynccontextmanager
    async def begin(self, handling: UUID | None = None) -> AsyncIterator["FakeStorage"]:
        yield self

    async def next_number(self) -> int:
        return 1_000_001 + self.account_writes

    async def add_account(self, account: Account) -> None:
        if account.email in self.accounts:
            raise EmailTaken
        await self.put_operator(account)

    async def put_operator(self, account: Account) -> None:
        self.accounts[account.email] = account
        self.account_writes += 1

    async def change_password(self, account_id: UUID, password_hash: str) -> None:
        known = next(account for account in self.accounts.values() if account.id == account_id)
        self.accounts[known.email] = replace(known, password_hash=password_hash)

    async def complete(self, claim: Claim, answer: Answer) -> None:
        self.completed.append(answer)

    async def lock_throttles(self, account: str, address: str) -> tuple[Throttle, Throttle]:
        return self.attempts.get(account, Throttle()), self.attempts.get(address, Throttle())

    async def keep_throttle(self, subject: str, throttle: Throttle) -> None:
        self.attempts[subject] = throttle

    async def account(self, account_id: UUID) -> Account | None:
        return next((account for account in self.accounts.values() if account.id == account_id), None)

    async def account_by_number(self, number: int) -> Account | None:
        return next((account for account in self.accounts.values() if account.number == number), None)

    async def lock_account(self, account_id: UUID) -> Account | None:
        return await self.account(account_id)

    async def lock_by_email(self, email: str) -> Account | None:
        return await self.account_by_email(email)

    async def follow_legacy(self, account: Account) -> None:
        self.accounts = {email: known for email, known in self.accounts.items() if known.id != account.id}
        await self.add_account(account)

    async def account_by_email(self, email: str) -> Account | None:
        return self.accounts.get(email)

    async def keys(self) -> KeyRing:
        return KeyRing(tuple(self.ring))

    async def lock_keys(self) -> KeyRing:
        return await self.keys()

    async def add_key(self, key: SigningKey) -> None:
        self.ring.append(key)

    async def delete_key(self, kid: str) -> None:
        self.ring = [key for key in self.ring if key.kid != kid]


class FakeSigner:
    """Keys are numbered, and a token shows its claims."""

    made = 0

    def new_key(self, created_at: datetime, activates_at: datetime) -> SigningKey:
        self.made += 1
        return SigningKey(f"key-{self.made}", b"public", b"sealed", created_at, activates_at)

    def sign(self, key: SigningKey, claims: Mapping[str, Any]) -> str:
        return f"{key.kid} {claims['sub']} {claims['roles']} {claims['exp'] - claims['iat']}"

    def public(self, key: SigningKey) -> dict[str, Any]:
        return {"kid": key.kid}


@dataclass
class Scene:
    storage: FakeStorage = field(default_factory=FakeStorage)
    passwords: FakePasswords = field(default_factory=FakePasswords)

    @property
    def accounts(self) -> Accounts:
        return Accounts(self.storage, self.passwords, clock=lambda: NOON)

    async def log_in(self, email: str, password: str) -> Account:
        return await self.accounts.log_in(email, password, "192.0.2.1")


@pytest.fixture
def scene() -> Scene:
    return Scene()


def render(account: Account) -> Answer:
    return Answer(201, account.email.encode())


async def test_a_claimed_registration_keeps_its_answer_with_the_claim(scene: Scene) -> None:
    answer = await scene.accounts.register(ADA, render, Claim("somebody", "key-1"))
    assert scene.storage.completed == [answer] == [Answer(201, b"ada@example.org")]


async def test_a_refused_registration_keeps_no_answer(scene: Scene) -> None:
    await scene.accounts.register(ADA, render, None)
    with pytest.raises(EmailTaken):
        await scene.accounts.register(ADA, render, Claim("somebody", "key-1"))
    assert scene.storage.completed == []


async def test_an_unknown_address_costs_a_verification_too(scene: Scene) -> None:
    with pytest.raises(InvalidCredentials):
        await scene.log_in("nobody@example.org", "guess")
    assert scene.passwords.asked == [None]


async def test_a_throttled_login_is_not_looked_at(scene: Scene) -> None:
    for _ in range(5):
        with pytest.raises(InvalidCredentials):
            await scene.log_in("nobody@example.org", "guess")
    with pytest.raises(LoginThrottled):
        await scene.log_in("nobody@example.org", "guess")
    assert len(scene.passwords.asked) == 5


async def test_a_login_that_was_sent_away_unseen_is_no_failure(scene: Scene) -> None:
    await scene.accounts.register(ADA, render, None)
    scene.passwords.busy = True
    for _ in range(10):
        with pytest.raises(PasswordsBusy):
            await scene.log_in(ADA.email, ADA.password)
    scene.passwords.busy = False
    assert (await scene.log_in(ADA.email, ADA.password)).email == "ada@example.org"


async def test_the_operator_is_written_once_however_often_it_is_ensured(scene: Scene) -> None:
    for _ in range(3):
        await scene.accounts.ensure_operator("Op@banyan.example", "operator password")
    assert scene.storage.account_writes == 1
    assert scene.storage.accounts["op@banyan.example"].roles == ("operator", "customer")


async def test_a_token_names_the_account_its_roles_and_ten_minutes() -> None:
    storage = FakeStorage()
    keys = SigningKeys(storage, FakeSigner(), Issuer("issuer", "audience"), clock=lambda: NOON)
    await keys.rotate()
    account = Account(UUID(int=7), "ada@example.org", "Ada", "hash", 1_000_001)
    assert await keys.issue(account) == f"key-1 {UUID(int=7)} ['customer'] 600"


async def test_the_newest_key_is_published_first() -> None:
    keys = SigningKeys(FakeStorage(), FakeSigner(), Issuer("issuer", "audience"), clock=lambda: NOON)
    await keys.rotate()
    await keys.rotate()
    assert await keys.published() == {"keys": [{"kid": "key-2"}, {"kid": "key-1"}]}
