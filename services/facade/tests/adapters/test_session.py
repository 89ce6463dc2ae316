"""The cookie, against the framework that the old shop is made with."""

import time
from typing import Any

import pytest
from flask import Flask, Response, jsonify, request, session
from flask.sessions import SecureCookieSessionInterface
from itsdangerous import TimestampSigner, URLSafeTimedSerializer

from facade.adapters.session import LIFE_SECONDS, Sessions
from facade.legacy_http import LegacyRequest, LegacyResponse
from services.facade.tests.adapters.both_shops import SESSION_KEY, cookie

SMALL = {"customer": 3, "email": "ann@example.com", "csrf": "c0ffee", "basket": {"12": 2}}
# Long enough to be compressed.
LARGE = {"email": "é" * 60, "basket": {str(1_000_000 + number): 100 for number in range(20)}}


@pytest.fixture
def app() -> Flask:
    """A shop that shows its session, and takes over what it is sent."""
    made = Flask("old")
    made.config.update(SECRET_KEY=SESSION_KEY, SESSION_COOKIE_NAME="shopsession", SESSION_COOKIE_PATH="/legacy")

    @made.get("/legacy/")
    def show() -> Response:
        return jsonify(dict(session))

    @made.post("/legacy/")
    def take() -> Response:
        session.update(request.get_json())
        return Response()

    return made


def opened(sent: str) -> dict[str, Any]:
    return Sessions(SESSION_KEY).open(LegacyRequest("GET", "/legacy/", headers=(("cookie", sent),))).values


def sent_by(serializer: URLSafeTimedSerializer) -> str:
    return f"shopsession={serializer.dumps(SMALL)}"


@pytest.mark.parametrize("values", [SMALL, LARGE, {}])
def test_the_facade_reads_what_flask_writes(app: Flask, values: dict[str, Any]) -> None:
    answer = app.test_client().post("/legacy/", json=values)
    assert opened(answer.headers.get("Set-Cookie", "").partition(";")[0]) == values


@pytest.mark.parametrize("values", [SMALL, LARGE])
def test_flask_reads_what_the_facade_writes(app: Flask, values: dict[str, Any]) -> None:
    sessions = Sessions(SESSION_KEY)
    began = sessions.open(LegacyRequest("GET", "/legacy/"))
    began.log_in(values.get("customer", 1), values["email"])
    for book, quantity in values["basket"].items():
        assert began.put_into_basket(int(book), quantity)
    written = sessions.close(began, LegacyResponse(200)).header("set-cookie") or ""
    client = app.test_client(use_cookies=False)
    read = client.get("/legacy/", headers={"Cookie": written.partition(";")[0]}).get_json()
    assert read == {"customer": values.get("customer", 1), "email": values["email"], "basket": values["basket"]}


def test_both_write_the_same_bytes_in_the_same_second(app: Flask) -> None:
    theirs = SecureCookieSessionInterface().get_signing_serializer(app)
    assert theirs is not None
    ours = Sessions(SESSION_KEY)
    for _ in range(5):  # a second may end between the two
        began = ours.open(LegacyRequest("GET", "/legacy/", headers=cookie(SMALL)))
        began.log_in(3, "ann@example.com")
        written = ours.close(began, LegacyResponse(200)).header("set-cookie") or ""
        with app.app_context():  # without one Flask sorts otherwise
            if written.startswith(f"shopsession={theirs.dumps(SMALL)};"):
                return
    pytest.fail("they never agreed")


@pytest.mark.parametrize("spoilt", ["", "x", "e30.x.y", 'shopsession="', "shopsession=;", "another=1; shopsession"])
def test_a_cookie_that_is_not_ours_is_an_empty_session(spoilt: str) -> None:
    assert opened(spoilt) == {}


def test_a_cookie_that_was_changed_or_signed_with_another_key_is_an_empty_session() -> None:
    good = cookie(SMALL)[0][1]
    assert opened(good) == SMALL
    assert opened(good.replace("shopsession=e", "shopsession=f")) == {}
    assert Sessions("another key").open(LegacyRequest("GET", "/", headers=(("Cookie", good),))).values == {}


@pytest.mark.parametrize(("age", "expected"), [(LIFE_SECONDS - 60, SMALL), (LIFE_SECONDS + 60, {})])
def test_a_cookie_is_good_for_a_month(age: int, expected: dict[str, Any]) -> None:
    class Earlier(TimestampSigner):
        def get_timestamp(self) -> int:
            return int(time.time()) - age

    serializer = URLSafeTimedSerializer(
        SESSION_KEY, salt="cookie-session", signer=Earlier, signer_kwargs={"key_derivation": "hmac"}
    )
    assert opened(sent_by(serializer)) == expected


def test_a_session_that_nobody_changed_is_not_sent_again() -> None:
    sessions = Sessions(SESSION_KEY)
    seen = sessions.open(LegacyRequest("GET", "/legacy/", headers=cookie(SMALL)))
    assert (seen.form_token(), seen.customer, seen.basket()) == ("c0ffee", 3, {12: 2})
    assert sessions.close(seen, LegacyResponse(200)).headers == (("Vary", "Cookie"),)
