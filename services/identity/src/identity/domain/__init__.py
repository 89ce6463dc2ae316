"""Accounts, throttled logins, the ring of signing keys: what they allow, and when. Knows no storage and no cipher."""

from identity.domain.accounts import (
    EMAIL_LENGTH,
    EMAIL_PATTERN,
    LEGACY_HASH,
    Account,
    AccountUnknown,
    EmailTaken,
    LegacyCustomer,
    legacy_hash,
    normalise_email,
)
from identity.domain.keys import (
    ACTIVATION_DELAY,
    CLOCK_SKEW,
    KEYS_CACHED,
    TOKEN_LIFE,
    KeyRing,
    NoSigningKey,
    SigningKey,
    SigningKeySealed,
)
from identity.domain.logins import (
    LONGEST_DELAY,
    InvalidCredentials,
    LoginAttempt,
    LoginLimits,
    LoginThrottled,
    PasswordsBusy,
    Throttle,
)

__all__ = [
    "ACTIVATION_DELAY",
    "CLOCK_SKEW",
    "EMAIL_LENGTH",
    "EMAIL_PATTERN",
    "KEYS_CACHED",
    "LEGACY_HASH",
    "LONGEST_DELAY",
    "TOKEN_LIFE",
    "Account",
    "AccountUnknown",
    "EmailTaken",
    "InvalidCredentials",
    "KeyRing",
    "LegacyCustomer",
    "LoginAttempt",
    "LoginLimits",
    "LoginThrottled",
    "NoSigningKey",
    "PasswordsBusy",
    "SigningKey",
    "SigningKeySealed",
    "Throttle",
    "legacy_hash",
    "normalise_email",
]
