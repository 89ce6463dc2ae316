"""Who a request comes from, as far as the canary must know to show a customer the same side each time."""

import base64
import binascii
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from facade.legacy_http import LegacyRequest, LegacyResponse

SESSION, VISITOR = "shopsession", "shopvisitor"
_VISITOR = re.compile(r"[A-Za-z0-9_-]{16,64}")
VISITOR_SECONDS = 365 * 24 * 3600


class Session(Protocol):
    """What the old shop's cookie says, once its signature was checked."""

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
    """`read_session` gives the session of a genuine cookie, `new_key` a random one of 16 to 64 letters and digits."""

    def __init__(self, read_session: Callable[[str], Session | None], new_key: Callable[[], str]) -> None:
        self._read_session = read_session
        self._new_key = new_key

    def identify(self, request: LegacyRequest) -> Visitor:
        """The customer who is logged in, else the user of HTTP Basic, else the cookie, else somebody new.

        A customer is known by the e-mail address both ways, so that the pages and the API of one show one side. The
        password is not looked at: who pretends to be somebody else sees that customer's side, and nothing more.
        """
        found = cookies(request)
        session = self._read_session(found[SESSION]) if SESSION in found else None
        if session is not None and session.email:
            return Visitor(_customer(session.email))
        if (user := _basic_user(request)) is not None:
            return Visitor(_customer(user))
        visitor = found.get(VISITOR, "")
        return Visitor(visitor) if _VISITOR.fullmatch(visitor) else Visitor(self._new_key(), new=True)


def _customer(email: str) -> str:
    return f"customer:{email.strip().lower()}"


def cookies(request: LegacyRequest) -> dict[str, str]:
    """All cookies of a request, the first of a name. Not by the standard library: it stops at one that it dislikes."""
    found: dict[str, str] = {}
    for name, value in request.headers:
        if name.lower() == "cookie":
            for pair in value.split(";"):
                key, _, content = pair.partition("=")
                found.setdefault(key.strip(), content.strip().strip('"'))
    return found


def _basic_user(request: LegacyRequest) -> str | None:
    scheme, _, encoded = (request.header("authorization") or "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        user, colon, _ = base64.b64decode(encoded.strip(), validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return user if colon and user else None
