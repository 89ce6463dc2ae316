"""The ring of signing keys: which sign, which are published, and when."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

TOKEN_LIFE = timedelta(minutes=10)

# A new key is published this long before it signs. Verifiers look again after 300 s (chassis.auth), and the document
# may come out of an HTTP cache that is up to 60 s old: by then everybody has it. An unknown key id makes a verifier
# look at once, but at most every 5 s, and whoever sends it garbage can use that one look up for us.
KEYS_CACHED = timedelta(seconds=60)
ACTIVATION_DELAY = timedelta(seconds=300) + KEYS_CACHED

# Beyond the last token's expiry, for clocks that differ.
CLOCK_SKEW = timedelta(seconds=60)


class NoSigningKey(Exception):
    """The first signing key has not been made yet."""


class SigningKeySealed(Exception):
    """The private half cannot be opened: sealed under another KEY_ENCRYPTION_KEY, or tampered with."""


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
