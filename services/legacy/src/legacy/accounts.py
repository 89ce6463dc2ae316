"""Customers: registering, and knowing them again by their password."""

import hashlib
import hmac
import re
import secrets
from collections.abc import Callable
from datetime import datetime

from legacy.db import Pool, Row
from legacy.errors import BadRequest, EmailTaken, LoginFailed

_EMAIL = re.compile(r"[a-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[a-z0-9-]+(\.[a-z0-9-]+)+")
_LONGEST_EMAIL, _LONGEST_NAME, _LONGEST_PASSWORD = 254, 100, 128
_INSERT = """
    INSERT INTO customers (email, name, salt, password, created) VALUES (%s, %s, %s, %s, %s)
    ON CONFLICT (email) DO NOTHING RETURNING id, email, name
"""


class Accounts:
    """The table of customers; `now` is the shop's clock."""

    def __init__(self, pool: Pool, now: Callable[[], datetime]) -> None:
        self._pool = pool
        self._now = now

    def register(self, email: str, name: str, password: str) -> Row:
        """The new customer: id, email (in lower case), name. Raises `BadRequest`, `EmailTaken`."""
        email, name = email.strip().lower(), name.strip()
        good = len(email) <= _LONGEST_EMAIL and _EMAIL.fullmatch(email)
        if not good or not _is_text(name, _LONGEST_NAME) or not _is_text(password, _LONGEST_PASSWORD):
            raise BadRequest
        salt = secrets.token_hex(4)
        with self._pool.connection() as db:
            row = db.execute(_INSERT, (email, name, salt, _hashed(salt, password), self._now())).fetchone()
        if row is None:
            raise EmailTaken
        return row

    def log_in(self, email: str, password: str) -> Row:
        """The customer: id, email, name. Raises `LoginFailed`."""
        email = email.strip().lower()
        row = None
        if _is_text(email, _LONGEST_EMAIL) and _is_text(password, _LONGEST_PASSWORD):
            with self._pool.connection() as db:
                row = db.execute("SELECT * FROM customers WHERE email = %s", (email,)).fetchone()
        if row is None or not hmac.compare_digest(row["password"], _hashed(row["salt"], password)):
            raise LoginFailed
        return row


def _hashed(salt: str, password: str) -> str:
    return hashlib.sha1((salt + password).encode()).hexdigest()  # noqa: S324 - what it was in 2009


def _is_text(value: str, longest: int) -> bool:
    # Neither control characters nor halves of a character, which the database would not take.
    return 0 < len(value) <= longest and value.isprintable()
