"""Who a request comes from, as far as the canary must know to show a customer the same side each time."""

import base64
import binascii
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from facade.legacy_http import LegacyRequest, LegacyResponse

VISITOR = "shopvisitor"
_VISITOR = re.compile(r"[A-Za-z0-9_-]{16,64}")
VISITOR_SECONDS = 365 * 24 * 3600


class Session(Protocol):
    """What the old shop's cookie says, once its signature was checked; empty where there is none."""

    @property
    def email(self) -> str | None: ...


@dataclass(frozen=True)
class Visitor:
    """`key` is the customer's own. `new`: nobody was known, and the answer must carry the key as a cookie."""

    key: str
    new: bool = False

    def remembered(self, answer: LegacyResponse) -> LegacyResponse:
        """The answer, and the cookie by which this visitor is known from now on."""
        if not self.new:
            return answer
        cookie = f"{VISITOR}={self.key}; Max-Age={VISITOR_SECONDS}; Path=/legacy; HttpOnly; SameSite=Lax"
        return answer.with_header("Set-Cookie", cookie)


class Visitors:
    """`open_session` reads the old shop's cookie, `new_key` makes a random one of 16 to 64 letters and digits."""

    def __init__(
        self,
        open_session: Callable[[LegacyRequest], Session],
        new_key: Callable[[], str] = lambda: secrets.token_urlsafe(16),
    ) -> None:
        self._open_session = open_session
        self._new_key = new_key

    def identify(self, request: LegacyRequest) -> Visitor:
        """The customer who is logged in, else the user of HTTP Basic, else the cookie, else somebody new.

        A customer is known by the e-mail address both ways, so that the pages and the API of one show one side. The
        password is not looked at: who pretends to be somebody else sees that customer's side, and nothing more.
        """
        if email := self._open_session(request).email:
            return Visitor(_customer(email))
        if (user := _basic_user(request)) is not None:
            return Visitor(_customer(user))
        visitor = _cookie(request, VISITOR)
        return Visitor(visitor) if _VISITOR.fullmatch(visitor) else Visitor(self._new_key(), new=True)


def _customer(email: str) -> str:
    return f"customer:{email.strip().lower()}"


def _cookie(request: LegacyRequest, wanted: str) -> str:
    """Not by the standard library: it stops at a cookie that it dislikes, and what follows is lost."""
    for name, value in request.headers:
        if name.lower() == "cookie":
            for pair in value.split(";"):
                key, _, content = pair.partition("=")
                if key.strip() == wanted:
                    return content.strip()
    return ""


def _basic_user(request: LegacyRequest) -> str | None:
    scheme, _, encoded = (request.header("authorization") or "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        user, colon, _ = base64.b64decode(encoded.strip(), validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return user if colon and user else None
