"""Accounts, throttled logins, the ring of signing keys: what they allow, and when. Knows no storage and no cipher."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from hashlib import sha256
from uuid import UUID

TOKEN_LIFE = timedelta(minutes=10)

# A new key is published this long before it signs. Verifiers look again after 300 s (chassis.auth), and the document
# may come out of an HTTP cache that is up to 60 s old: by then everybody has it. An unknown key id makes a verifier
# look at once, but at most every 5 s, and whoever sends it garbage can use that one look up for us.
KEYS_CACHED = timedelta(seconds=60)
ACTIVATION_DELAY = timedelta(seconds=300) + KEYS_CACHED

# Beyond the last token's expiry, for clocks that differ.
CLOCK_SKEW = timedelta(seconds=60)

# What a browser's own e-mail field accepts (HTML, 4.10.5.1.5), with a dot in the domain.
EMAIL_PATTERN = r"^[A-Za-z0-9.!#$%&'*+/=?^_`{|}~\-]{1,64}@[A-Za-z0-9\-]+(\.[A-Za-z0-9\-]+)+$"
EMAIL_LENGTH = 254

THROTTLE_WINDOW = timedelta(minutes=15)
LONGEST_DELAY = timedelta(minutes=5)


class EmailTaken(Exception):
    """An account with this e-mail address exists."""


class InvalidCredentials(Exception):
    """No account has this e-mail address and this password; which of the two is wrong is not told."""


class LoginThrottled(Exception):
    """Too many failed logins; `retry_after` is how long no further one is looked at."""

    def __init__(self, retry_after: timedelta) -> None:
        super().__init__("Too many failed logins; wait before the next one")
        self.retry_after = retry_after


class AccountUnknown(Exception):
    """There is no account with this id (any more)."""


class NoSigningKey(Exception):
    """The first signing key has not been made yet."""


class SigningKeySealed(Exception):
    """The private half cannot be opened: sealed under another KEY_ENCRYPTION_KEY, or tampered with."""


class PasswordsBusy(Exception):
    """More passwords wait to be hashed than can be in good time."""


def normalise_email(email: str) -> str:
    """One address, one spelling. Local parts could differ by case; no provider that people use lets them."""
    return email.lower()


@dataclass(frozen=True)
class Account:
    """Somebody who can log in: a customer, or an operator, who may buy as well."""

    id: UUID
    email: str
    name: str
    password_hash: str = field(repr=False)
    operator: bool = False

    @property
    def roles(self) -> tuple[str, ...]:
        return ("operator", "customer") if self.operator else ("customer",)


@dataclass(frozen=True)
class LoginLimits:
    """Failed logins within the window that are free of delay. Many people may share an address, none an account."""

    account: int = 5
    address: int = 100


@dataclass(frozen=True)
class LoginAttempt:
    """The two names that a login is counted under."""

    account: str
    address: str

    @classmethod
    def of(cls, email: str, address: str) -> "LoginAttempt":
        """The account's is hashed: unknown ones are counted too, and people type passwords into the wrong field."""
        return cls(f"account:{sha256(email.encode()).hexdigest()}", f"address:{address}")


@dataclass(frozen=True)
class Throttle:
    """The logins of one account, or from one address, that did not succeed.

    An attempt counts as failed until it is forgiven, so that a hundred guesses sent at once are a hundred failures
    before the first of them is answered.
    """

    failures: int = 0
    last_attempt: datetime | None = None
    blocked_until: datetime | None = None

    def attempt(self, limit: int, now: datetime) -> "Throttle":
        """Raises `LoginThrottled` while blocked. From `limit` failures on, each doubles the wait for the next."""
        if self.blocked_until is not None and now < self.blocked_until:
            raise LoginThrottled(self.blocked_until - now)
        over = self.last_attempt is None or now - self.last_attempt > THROTTLE_WINDOW
        failures = 1 if over else self.failures + 1
        return Throttle(failures, now, now + _delay(failures - limit) if failures >= limit else None)

    def forgive(self, limit: int) -> "Throttle":
        """Take back one attempt that turned out well, or was never looked at."""
        failures = max(0, self.failures - 1)
        return replace(self, failures=failures, blocked_until=self.blocked_until if failures >= limit else None)

    def reset(self) -> "Throttle":
        """Nothing is held against the account after a good login."""
        return Throttle(last_attempt=self.last_attempt)


def _delay(excess: int) -> timedelta:
    return min(LONGEST_DELAY, timedelta(seconds=2 ** min(excess, 10)))


@dataclass(frozen=True)
class SigningKey:
    """An Ed25519 key: the public half, and the private one sealed. `kid` is its RFC 7638 thumbprint."""

    kid: str
    public: bytes
    sealed: bytes = field(repr=False)
    created_at: datetime
    activates_at: datetime


@dataclass(frozen=True)
class KeyRing:
    """All signing keys, oldest first."""

    keys: Sequence[SigningKey] = ()

    def signing(self, now: datetime) -> SigningKey:
        """The newest key that may sign; the oldest when none may yet, since a token late is worse than a key early."""
        if not self.keys:
            raise NoSigningKey("The signing keys are being made; ask again in a moment")
        return next((key for key in reversed(self.keys) if key.activates_at <= now), self.keys[0])

    def pending(self, now: datetime) -> SigningKey | None:
        """The key that is published and does not sign yet."""
        return next((key for key in self.keys if key.activates_at > now), None)

    def published(self, now: datetime) -> tuple[SigningKey, ...]:
        """The newest two, and each older one until the last token that it signed has expired."""
        newest = len(self.keys) - 2
        return tuple(key for at, key in enumerate(self.keys) if at >= newest or self._may_be_met(at, now))

    def retired(self, now: datetime) -> tuple[SigningKey, ...]:
        """The keys that no valid token can name any more."""
        kept = self.published(now)
        return tuple(key for key in self.keys if key not in kept)

    def due(self, rotate_after: timedelta, now: datetime) -> bool:
        """Whether a new key is wanted without anybody asking."""
        return not self.keys or now - self.keys[-1].created_at >= rotate_after

    def next_activation(self, now: datetime) -> datetime:
        """When a key made now begins to sign: the first one at once, for nobody holds older keys."""
        return now + ACTIVATION_DELAY if self.keys else now

    def _may_be_met(self, at: int, now: datetime) -> bool:
        return now < self.keys[at + 1].activates_at + TOKEN_LIFE + CLOCK_SKEW
