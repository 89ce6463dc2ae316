"""The browser's cookie, as the old shop's framework writes and reads it, so that customers keep theirs whoever answers.

The format is that of Flask's sessions: JSON, compressed where that is shorter, with a time and a signature. Flask marks
values that JSON has no word for; there are none in this cookie.
"""

import hashlib
import hmac
import json
import re
import secrets
from collections.abc import Callable, Mapping
from typing import Any

from itsdangerous import BadSignature, URLSafeTimedSerializer

from facade.legacy_http import LegacyRequest, LegacyResponse

NAME, PATH = "shopsession", "/legacy"
LIFE_SECONDS = 31 * 24 * 3600
MAX_BOOKS, MAX_QUANTITY = 20, 100
_ATTRIBUTES = f"HttpOnly; Path={PATH}; SameSite=Lax"
_GONE = f"{NAME}=; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=0; {_ATTRIBUTES}"
_COOKIE = re.compile(rf'(?:^|;)\s*{NAME}\s*=\s*"?([^";\s]*)')


class Session:
    """What the cookie says. `changed`: it has to be sent anew."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = dict(values)
        self.changed = False

    @property
    def values(self) -> dict[str, Any]:
        """All of it, as the cookie carries it."""
        return dict(self._values)

    @property
    def customer(self) -> int | None:
        """The number of whoever is logged in."""
        return self._values.get("customer")

    @property
    def email(self) -> str | None:
        """The address of whoever is logged in."""
        return self._values.get("email")

    def log_in(self, customer: int, email: str) -> None:
        """From now on the browser is this customer's; the basket stays."""
        self._set("customer", customer)
        self._set("email", email)

    def log_out(self) -> None:
        """Forget everything, the basket too."""
        self._values.clear()
        self.changed = True

    def basket(self) -> dict[int, int]:
        """Quantity by number of the book."""
        return {int(book): quantity for book, quantity in self._values.get("basket", {}).items()}

    def put_into_basket(self, book: int, quantity: int) -> bool:
        """So many of it from now on; none takes it out. False when the basket is full."""
        wanted = {**self.basket(), book: quantity}
        if quantity == 0:
            del wanted[book]
        if len(wanted) > MAX_BOOKS:
            return False
        self._set("basket", {str(key): value for key, value in wanted.items()})
        return True

    def empty_basket(self) -> None:
        """After the purchase."""
        if self._values.pop("basket", None) is not None:
            self.changed = True

    def form_token(self) -> str:
        """What the forms of this browser carry, so that no other site can send them."""
        if "csrf" not in self._values:
            self._set("csrf", secrets.token_hex(16))
        token: str = self._values["csrf"]
        return token

    def is_form_token(self, sent: str) -> bool:
        """Whether a form is one of this browser's."""
        known: str = self._values.get("csrf", "")
        return bool(sent) and hmac.compare_digest(sent.encode(errors="replace"), known.encode())

    def _set(self, key: str, value: Any) -> None:
        self._values[key] = value
        self.changed = True


class Sessions:
    """Reads and writes the cookie with the key that both sides have."""

    def __init__(self, key: str) -> None:
        self._serializer = URLSafeTimedSerializer(
            key,
            salt="cookie-session",
            serializer=_Compact,
            signer_kwargs={"key_derivation": "hmac", "digest_method": hashlib.sha1},
        )

    def open(self, request: LegacyRequest) -> Session:
        """What the browser has sent; empty when that is nothing, or nothing of ours."""
        sent = "; ".join(value for name, value in request.headers if name.lower() == "cookie")
        found = _COOKIE.search(sent)
        if found is None:
            return Session({})
        try:
            values = self._serializer.loads(found[1], max_age=LIFE_SECONDS)
        except BadSignature:
            return Session({})
        return Session(values)

    def close(self, session: Session, answer: LegacyResponse) -> LegacyResponse:
        """The answer with the cookie, if that is another now. Every page depends on the cookie, and says so."""
        answer = answer.with_header("Vary", "Cookie")
        if not session.changed:
            return answer
        if not session.values:
            return answer.with_header("Set-Cookie", _GONE)
        signed = self._serializer.dumps(session.values)
        text = signed if isinstance(signed, str) else signed.decode()
        return answer.with_header("Set-Cookie", f"{NAME}={text}; {_ATTRIBUTES}")


class _Compact:
    """JSON as Flask writes it into the cookie."""

    loads: Callable[..., Any] = staticmethod(json.loads)

    @staticmethod
    def dumps(value: Any) -> str:
        return json.dumps(value, sort_keys=True, separators=(",", ":"))
