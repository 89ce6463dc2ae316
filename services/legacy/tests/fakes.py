"""Whom the old shop meets in its tests: partners, browsers, and a card processor at the socket, doing as it is told."""

import json
import re
import threading
import time
from base64 import b64encode
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from legacy.db import Pool

API_KEY = "a-key-for-the-tests"
PASSWORD = "correct horse"
_CSRF = re.compile(r'name="csrf" value="(\w+)"')


def until(condition: Callable[[], bool], seconds: float = 20) -> None:
    """Poll until `condition` holds; fails when it does not within `seconds`."""
    limit = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < limit, "it did not come about in time"
        time.sleep(0.02)


class CardCompany(ThreadingHTTPServer):
    """Answers like psp, and keeps what it was asked. `tok_held` waits for `go_on`, `tok_no_answer` hangs up twice."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Desk)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.asked: list[dict[str, Any]] = []
        self.lost: set[str] = set()
        self.go_on = threading.Event()

    def handle_error(self, *_: object) -> None:
        """A hung-up connection is what some tests want."""


class _Desk(BaseHTTPRequestHandler):
    server: CardCompany

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        key = self.headers["Idempotency-Key"]
        self.server.asked.append({"path": self.path, "key": key, "bearer": self.headers["Authorization"], **body})
        card = body["card_token"]
        if card == "tok_held":
            self.server.go_on.wait(20)
        if card == "tok_no_answer" or (card == "tok_answer_lost" and key not in self.server.lost):
            self.server.lost.add(key)
            self.close_connection = True
            return
        status, found = _ANSWERS.get(card, (422, {"type": "urn:banyan:problem:unknown-card"}))
        self._answer(status, found | {"id": f"ref-{key}"})

    def _answer(self, status: int, found: dict[str, Any]) -> None:
        payload = json.dumps(found).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(payload)))
        self.end_headers()
        self.wfile.write(payload)

    def log_message(self, *_: object) -> None:
        """Silent."""


_CHARGED: tuple[int, dict[str, Any]] = (201, {"state": "charged"})
_ANSWERS: dict[str, tuple[int, dict[str, Any]]] = {
    "tok_ok": _CHARGED,
    "tok_held": _CHARGED,
    "tok_answer_lost": _CHARGED,
    "tok_declined": (201, {"state": "declined"}),
    "tok_unavailable": (503, {"type": "urn:banyan:problem:out-of-service"}),
    "tok_used": (422, {"type": "urn:banyan:problem:idempotency-key-reused"}),
}


class Partner:
    """Somebody who uses the JSON API, with an account if they registered."""

    def __init__(self, app: Flask) -> None:
        self._client = app.test_client()
        self.headers: dict[str, str] = {}

    def get(self, path: str, **query: str) -> Any:
        return self._read(self._client.get(f"/legacy/api/{path}", query_string=query, headers=self.headers))

    def post(self, path: str, body: Any) -> Any:
        return self._read(self._client.post(f"/legacy/api/{path}", json=body, headers=self.headers))

    def register(self, email: str = "ann@example.com", name: str = "Ann") -> Any:
        self.log_in(email, PASSWORD)
        return self.post("register", {"email": email, "name": name, "password": PASSWORD})

    def log_in(self, email: str, password: str) -> None:
        self.headers = {"Authorization": f"Basic {b64encode(f'{email}:{password}'.encode()).decode()}"}

    def order(self, *items: tuple[int, int], card: str = "tok_ok") -> Any:
        return self.post("orders", {"items": [{"id": id, "qty": qty} for id, qty in items], "card": card})

    def _read(self, answer: TestResponse) -> Any:
        assert answer.status_code == 200
        assert answer.headers["Content-Type"] == "application/json"
        return json.loads(answer.data)


class Browser:
    """Somebody who clicks: forms are sent with the token of the page that was last seen."""

    def __init__(self, app: Flask) -> None:
        self.client: FlaskClient = app.test_client()
        self.token = ""

    def get(self, path: str) -> TestResponse:
        return self._seen(self.client.get(f"/legacy/{path}"))

    def post(self, path: str, **form: str) -> TestResponse:
        return self._seen(self.client.post(f"/legacy/{path}", data={"csrf": self.token, **form}))

    def register(self, email: str = "ann@example.com", name: str = "Ann") -> TestResponse:
        self.get("register")
        return self.post("register", email=email, name=name, password=PASSWORD)

    def _seen(self, answer: TestResponse) -> TestResponse:
        if found := _CSRF.search(answer.text):
            self.token = found.group(1)
        return answer


def rows(pool: Pool, query: str, *values: Any) -> list[Any]:
    """What stands in the database."""
    with pool.connection() as db:
        return db.execute(query.encode(), values or None).fetchall()


def stock(pool: Pool, number: int) -> int:
    """Copies of a book that are left."""
    return int(rows(pool, "SELECT stock FROM products WHERE id = %s", number)[0]["stock"])
