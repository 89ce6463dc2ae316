"""Use cases of accounts: registering, logging in, following the old shop, and the operator."""

from collections.abc import Callable
from dataclasses import dataclass, field
from uuid import UUID

from uuid_utils.compat import uuid7

from chassis.idempotency import Answer, Claim
from identity.application.ports import Clock, Ids, Passwords, Storage, utc_now
from identity.domain import (
    Account,
    AccountUnknown,
    InvalidCredentials,
    LegacyCustomer,
    LoginAttempt,
    LoginLimits,
    PasswordsBusy,
    normalise_email,
)


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
        async with self._storage.begin() as work:
            number = await work.next_number()
            account = Account(self._ids(), normalise_email(new.email), new.name, password_hash, number)
            answer = render(account)
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

    async def customer_numbered(self, number: int) -> Account:
        """Raises `AccountUnknown`, for operators too: their role is for their password only."""
        account = await self._storage.account_by_number(number)
        if account is None or account.operator:
            raise AccountUnknown("There is no customer with this number")
        return account

    async def follow_legacy(self, told: LegacyCustomer, handling: UUID) -> None:
        """Take an account over as the old shop has it, if that is newer. Raises `EmailTaken` if somebody was faster.

        An address that an account of ours has stays with that one, for nobody has proven that both are one person.
        """
        async with self._storage.begin(handling) as work:
            known = await work.lock_account(told.id)
            account = Account.of_legacy(told) if known is None else known.follow(told)
            if account is known:
                return
            holder = await work.lock_by_email(account.email)
            if holder is not None and holder.id != account.id:
                if holder.gives_way_to(told):
                    await work.follow_legacy(holder.unreachable())
                else:
                    account = account.unreachable()
            await work.follow_legacy(account)

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
        password_hash = await self._passwords.hash(password)
        async with self._storage.begin() as work:
            number = await work.next_number()
            await work.put_operator(Account(self._ids(), email, "Operator", password_hash, number, operator=True))

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
