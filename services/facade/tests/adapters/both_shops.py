"""The old shop itself and the adapters over the new services, side by side: both get the same requests."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

from flask import Flask
from flask.sessions import SecureCookieSessionInterface

from facade.adapters import Adapters
from facade.adapters.session import Sessions
from facade.legacy_http import LegacyRequest, LegacyResponse
from facade.ports import Upstream
from facade.routing import find
from services.facade.tests.adapters.new_shop import NewShop

SESSION_KEY = "a key for the cookies of the tests"
FORM = "application/x-www-form-urlencoded"
_TOKEN = re.compile(r'(name="csrf" value=")\w+')
_COOKIE = re.compile(r"shopsession=([^;]*)(.*)")


class Cards:
    """The old shop's card processor: `tok_ok` is good."""

    def charge(self, order: int, amount: Decimal, card: str) -> str | None:
        assert amount > 0
        return f"ref-{order}" if card == "tok_ok" else None


class OldShop:
    """The real one, in this process; an `Upstream`."""

    def __init__(self, app: Flask) -> None:
        self.app = app
        self.asked: list[LegacyRequest] = []

    async def answer(self, request: LegacyRequest) -> LegacyResponse:
        self.asked.append(request)
        client = self.app.test_client(use_cookies=False)
        address = f"{request.path}?{request.query}" if request.query else request.path
        answer = client.open(address, method=request.method, headers=list(request.headers), data=request.body)
        return LegacyResponse(answer.status_code, tuple(answer.headers.items()), answer.data)


class NewSide:
    """The adapters as one `Upstream`, each for its area."""

    def __init__(self, adapters: Adapters) -> None:
        self.adapters = adapters

    async def answer(self, request: LegacyRequest) -> LegacyResponse:
        return await self.adapters.areas[find(request.method, request.path).area].answer(request)


@dataclass
class Noted:
    """What has been told of placed orders, and the mistake that is switched on."""

    numbers: list[int] = field(default_factory=list)
    bug: str | None = None

    async def placed(self, number: int) -> None:
        self.numbers.append(number)


@dataclass
class BothShops:
    """`ask` sends one request to both and holds the answers against each other, to the byte."""

    old: OldShop
    new: NewSide
    shop: NewShop
    noted: Noted

    async def ask(self, request: LegacyRequest) -> LegacyResponse:
        """The answer, when it is the same from both. Tokens against forgery and the time in a cookie are made anew."""
        theirs, ours = await self.old.answer(request), await self.new.answer(request)
        assert ours.status == theirs.status
        assert masked(ours) == masked(theirs)
        assert headers(ours, self.old.app) == headers(theirs, self.old.app)
        return ours

    async def get(self, path: str, query: str = "", *, session: Mapping[str, Any] | None = None) -> LegacyResponse:
        return await self.ask(LegacyRequest("GET", f"/legacy/{path}", query, cookie(session)))

    async def post(self, path: str, session: Mapping[str, Any], **form: Any) -> LegacyResponse:
        sent = urlencode({"csrf": session.get("csrf", ""), **form}).encode()
        return await self.ask(LegacyRequest("POST", f"/legacy/{path}", "", (*cookie(session), form_type()), sent))


def masked(answer: LegacyResponse) -> bytes:
    """The body, with the token of a session that was begun by this very answer left out."""
    if "Set-Cookie" not in dict(answer.headers):
        return answer.body
    return _TOKEN.sub(r"\1", answer.body.decode()).encode()


def headers(answer: LegacyResponse, app: Flask) -> list[tuple[str, Any]]:
    """In alphabetical order; methods likewise, and a cookie as what it says."""
    found: list[tuple[str, Any]] = []
    for name, value in answer.headers:
        if name == "Set-Cookie":
            found.append((name, _opened(value, app)))
        else:
            found.append((name, sorted(value.split(", ")) if name == "Allow" else value))
    return sorted(found, key=lambda header: header[0])


def _opened(value: str, app: Flask) -> Any:
    match = _COOKIE.fullmatch(value)
    assert match is not None
    serializer = SecureCookieSessionInterface().get_signing_serializer(app)
    assert serializer is not None
    values = serializer.loads(match[1]) if match[1] else {}
    return {**values, "csrf": "…"} if "csrf" in values else values, match[2]


def cookie(session: Mapping[str, Any] | None) -> tuple[tuple[str, str], ...]:
    """A browser's header, as Flask would have set it."""
    if session is None:
        return ()
    app = Flask("elsewhere")
    app.secret_key = SESSION_KEY
    serializer = SecureCookieSessionInterface().get_signing_serializer(app)
    assert serializer is not None
    return (("Cookie", f"other=1; shopsession={serializer.dumps(dict(session))}"),)


def session_of(answer: LegacyResponse) -> dict[str, Any]:
    """What the cookie of an answer says, as the facade reads it."""
    value = (answer.header("set-cookie") or "").partition(";")[0]
    return Sessions(SESSION_KEY).open(LegacyRequest("GET", "/legacy/", headers=(("Cookie", value),))).values


def form_type() -> tuple[str, str]:
    return ("Content-Type", FORM)


def body(answer: LegacyResponse) -> Any:
    return json.loads(answer.body)


class Silent:
    """A side that must not be asked."""

    async def answer(self, request: LegacyRequest) -> LegacyResponse:
        raise AssertionError(f"{request.method} {request.path} was asked of the old shop")


silent: Upstream = Silent()
