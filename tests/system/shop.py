"""The running shop as the system tests see it: through the gateway, and its logs where a test is about them."""

import json
import os
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import httpx

from tests.system.target import Target

T = TypeVar("T")
FINAL = ("confirmed", "cancelled")
SECONDS = 30.0
PROBLEM = "urn:banyan:problem:"


@dataclass(frozen=True)
class Caller:
    """Somebody with a token, and everything that they ask for."""

    id: str
    email: str
    password: str
    http: httpx.Client

    @property
    def token(self) -> str:
        return self.http.headers["Authorization"].removeprefix("Bearer ")

    def place(self, lines: Sequence[tuple[str, int]], card: str = "tok_ok", key: str | None = None) -> httpx.Response:
        """Send an order."""
        body = {"lines": [{"isbn": isbn, "quantity": copies} for isbn, copies in lines], "card_token": card}
        return self.http.post("/api/orders", json=body, headers={"Idempotency-Key": key or new_key()})

    def accepted(self, lines: Sequence[tuple[str, int]], card: str = "tok_ok") -> str:
        """The path of an order that was accepted."""
        answer = self.place(lines, card)
        assert answer.status_code == 202, answer.text
        return str(answer.headers["Location"])

    def final(self, path: str) -> Any:
        """The order as it is at its end."""
        return until(lambda: _if_final(self.http.get(path)), f"{path} is not final")

    def orders(self) -> list[Any]:
        """The newest orders of the caller."""
        return list(self.http.get("/api/orders", params={"limit": 100}).json()["items"])


def _if_final(answer: httpx.Response) -> Any:
    assert answer.status_code == 200, answer.text
    return answer.json() if answer.json()["state"] in FINAL else None


@dataclass(frozen=True)
class Shop:
    """Opens accounts at a shop, and reads its shelves."""

    url: str
    target: Target
    _clients: list[httpx.Client] = field(default_factory=list)

    def client(self) -> httpx.Client:
        """A client without a token. These tests ask one thing at a time: for that httpx's own pool is quick enough."""
        self._clients.append(httpx.Client(base_url=self.url, timeout=20, trust_env=False))
        return self._clients[-1]

    def register(self) -> Caller:
        """A new customer, logged in."""
        http, email, password = self.client(), f"system-{uuid.uuid4()}@example.com", "correct horse battery"
        body = {"email": email, "password": password, "name": "A Reader"}
        answer = http.post("/api/identity/customers", json=body)
        assert answer.status_code == 201, answer.text
        return self.log_in(email, password, answer.json()["id"])

    def log_in(self, email: str, password: str, caller_id: str = "") -> Caller:
        """Whoever has this account, with a fresh token."""
        http = self.client()
        answer = http.post("/api/identity/tokens", json={"email": email, "password": password})
        assert answer.status_code == 200, answer.text
        http.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
        return Caller(caller_id, email, password, http)

    def close(self) -> None:
        """Close the connections."""
        for client in self._clients:
            client.close()

    def book(self, isbn: str) -> httpx.Response:
        """A book, with its ETag."""
        return self.client().get(f"/api/catalog/books/{isbn}")

    def available(self, isbn: str) -> int:
        """Copies that can be ordered."""
        return int(self.client().get(f"/api/inventory/stock/{isbn}").json()["available"])

    def logged(self, program: str, trace_id: str) -> list[Mapping[str, Any]]:
        """Lines of a program's log with a trace id; waits for the first, fails if there is none."""
        found = until(lambda: self._lines(program, trace_id), f"{program} has logged no line with trace id {trace_id}")
        return [json.loads(line) for line in found]

    def _lines(self, program: str, trace_id: str) -> list[str]:
        return [line for line in self.target.log(program).splitlines() if trace_id in line]

    def past_the_gateway(self, service: str, path: str, headers: Mapping[str, str]) -> httpx.Response:
        """What a service itself answers to a GET."""
        asked = self.target.run_in("gateway", "ask", service, path, json.dumps(headers))
        status, answered, body = json.loads(asked)
        return httpx.Response(status, headers=answered, text=body)

    def messages(self, order: str) -> list[Any]:
        """All messages about an order, from the stream."""
        return list(json.loads(self.target.audit("messages", order)))


def new_key() -> str:
    """An idempotency key that nobody has used."""
    return f"system-{uuid.uuid4()}"


def until(look: Callable[[], T | None], otherwise: str, seconds: float = SECONDS) -> T:
    """What `look` finds, as soon as that is something."""
    limit = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < limit, otherwise
        time.sleep(0.05)
    return found


def assert_problem(answer: httpx.Response, status: int, slug: str) -> Mapping[str, Any]:
    """The problem document, after all that is promised of one has been looked at."""
    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"
    problem: Mapping[str, Any] = answer.json()
    assert problem["type"] == PROBLEM + slug, answer.text
    assert problem["status"] == status
    assert problem["title"]
    assert problem["detail"]
    assert len(bytes.fromhex(problem["trace_id"])) == 16
    return problem


def running_url() -> str | None:
    """Address of the gateway, from BANYAN_URL."""
    return os.environ.get("BANYAN_URL")
