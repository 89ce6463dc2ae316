"""Throttled logins: who failed how often, and how long the next attempt has to wait."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from hashlib import sha256

THROTTLE_WINDOW = timedelta(minutes=15)
LONGEST_DELAY = timedelta(minutes=5)


class InvalidCredentials(Exception):
    """No account has this e-mail address and this password; which of the two is wrong is not told."""


class LoginThrottled(Exception):
    """Too many failed logins; `retry_after` is how long no further one is looked at."""

    def __init__(self, retry_after: timedelta) -> None:
        super().__init__("Too many failed logins; wait before the next one")
        self.retry_after = retry_after


class PasswordsBusy(Exception):
    """More passwords wait to be hashed than can be in good time."""


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
