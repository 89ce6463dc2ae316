"""Ids, times and amounts in the two shops' languages.

The old shop counts (integer ids), writes amounts as decimals of an euro and times as they stand on the wall in Berlin;
the new one has UUIDs, minor units and UTC.
"""

import hashlib
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

SHOP = "shop"
LEGACY = "legacy"
CURRENCY = "EUR"
CONFIRMED, CANCELLED = "P", "X"  # the letters of the old shop: paid, and refused by the card
FIRST_OF_SHOP = 1_000_001  # numbers from here on are given by the new shop; the old one's counters stay below
_BERLIN = ZoneInfo("Europe/Berlin")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def to_utc(local: datetime) -> datetime:
    """Of the hour that autumn repeats, the first one is meant: the old shop does not tell which it was."""
    return local.replace(tzinfo=_BERLIN).astimezone(UTC)


def to_local(moment: datetime) -> datetime:
    """As the old shop writes it: Berlin's time, without saying so."""
    return moment.astimezone(_BERLIN).replace(tzinfo=None)


def to_minor(amount: Decimal) -> int:
    """Cents."""
    return int(amount * 100)


def to_decimal(minor: int) -> Decimal:
    """Euros, with two places."""
    return Decimal(minor).scaleb(-2)


def money(amount: Decimal) -> dict[str, Any]:
    """As it stands in a message."""
    return {"amount": to_minor(amount), "currency": CURRENCY}


def legacy_id(kind: str, number: int, created: datetime) -> UUID:
    """The UUID of a row of the old shop: always the same, and sorting by its time as those of the new shop do."""
    return _uuid7(created, f"legacy:{kind}:{number}")


def message_id(at: datetime, *what: object) -> UUID:
    """The id of the message that tells `what`: a publisher that does not know whether it was stored sends it again."""
    return _uuid7(at, ":".join(("bridge", *map(str, what))))


def _uuid7(moment: datetime, name: str) -> UUID:
    milliseconds = (moment - _EPOCH) // timedelta(milliseconds=1)
    digest = int.from_bytes(hashlib.sha256(name.encode()).digest())
    random_a, random_b = digest & 0xFFF, digest >> 12 & (1 << 62) - 1
    return UUID(int=milliseconds << 80 | 0x7 << 76 | random_a << 64 | 0b10 << 62 | random_b)
