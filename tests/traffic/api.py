"""The public API as a patient customer's program uses it: what may be asked again is asked again, with the same key.

Straight on pyreqwest: the generator shares the machine with the whole shop, and its own time is taken from the shop's.
"""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from random import Random
from typing import Any, Self

import orjson
from pyreqwest.client import ClientBuilder
from pyreqwest.exceptions import PyreqwestError

from tests.traffic.tally import Tally

# Longer than the lease of an idempotency key (15 s): the process that held ours may have been killed.
PATIENCE = 60.0
REQUEST_TIMEOUT = timedelta(seconds=20)
CONNECT_TIMEOUT = timedelta(seconds=2)
BUSY = frozenset({429, 502, 503, 504})
IN_PROGRESS = "urn:banyan:problem:request-in-progress"
LONGEST_PAUSE = 5.0


class Unexpected(Exception):
    """An answer that the API does not promise, or none within `PATIENCE`. It is in the tally already."""


@dataclass(frozen=True)
class Answer:
    """An answer that is not asked for again."""

    status: int
    body: Any
    etag: str | None = None
    retry_after: str | None = None

    @property
    def problem(self) -> str | None:
        """The type of the problem, of an answer that is one."""
        return self.body.get("type") if self.status >= 400 and isinstance(self.body, dict) else None


@dataclass(frozen=True)
class Request:
    """One request, to be sent as often as needed: all of them may be repeated (reads, or POST with a key)."""

    operation: str
    method: str
    path: str
    token: str | None = None
    body: Any = None
    query: Mapping[str, str] | None = None
    headers: Mapping[str, str] | None = None


class Api:
    """One client of the gateway for all customers: connections are shared as a browser farm's proxy would."""

    def __init__(self, url: str, tally: Tally, patience: float = PATIENCE, jitter: Random | None = None) -> None:
        self.url = url
        self.tally = tally
        self._patience = patience
        self._jitter = jitter or Random()
        self._client = (
            ClientBuilder()
            .base_url(url)
            .no_proxy()
            .follow_redirects(False)
            .timeout(REQUEST_TIMEOUT)
            .connect_timeout(CONNECT_TIMEOUT)
            .build()
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.close()

    async def reachable(self) -> bool:
        """Whether the gateway answers at all."""
        try:
            await self._client.get("/readyz").build().send()
        except PyreqwestError:
            return False
        return True

    async def call(self, request: Request, *expected: int) -> Answer:
        """Ask until there is an answer; raises `Unexpected` unless its status is one of `expected`."""
        with self.tally.timing(request.operation):
            answer = await self._persist(request)
            if answer.status not in expected:
                kind = f"{request.operation}: {answer.status} {answer.problem or ''}".rstrip()
                self.tally.unexpected(kind, f"{request.method} {request.path}: {str(answer.body)[:300]}")
                raise Unexpected(kind)
        return answer

    async def _persist(self, request: Request) -> Answer:
        limit = time.monotonic() + self._patience
        attempt = 0
        while True:
            answer, why = await self._send(request)
            if answer is not None and why is None:
                return answer
            pause = self._pause(answer, attempt)
            if time.monotonic() + pause > limit:
                self.tally.unexpected(f"{request.operation}: gave up", f"{request.method} {request.path}: {why}")
                raise Unexpected(f"{request.operation}: {why}")
            self.tally.retries[f"{request.operation}: {why}"] += 1
            attempt += 1
            await asyncio.sleep(pause)

    async def _send(self, request: Request) -> tuple[Answer | None, str | None]:
        """The answer if there was one, and why to ask again, if so."""
        try:
            answer = await self.once(request)
        except PyreqwestError as error:
            return None, type(error).__name__
        if answer.problem is not None:
            self.tally.problems[answer.problem] += 1
        if answer.status in BUSY:
            return answer, str(answer.status)
        return answer, "request in progress" if answer.problem == IN_PROGRESS else None

    async def once(self, request: Request) -> Answer:
        """Whatever comes of sending it once; raises `PyreqwestError`."""
        builder = self._client.request(request.method, request.path)
        if request.token is not None:
            builder = builder.bearer_auth(request.token)
        if request.headers is not None:
            builder = builder.headers(request.headers)
        if request.query is not None:
            builder = builder.query(request.query)
        if request.body is not None:
            builder = builder.body_bytes(orjson.dumps(request.body)).header("Content-Type", "application/json")
        response = await builder.build().send()
        payload = memoryview(await response.bytes())
        body = _parse(payload) if payload.nbytes else None
        return Answer(response.status, body, response.get_header("etag"), response.get_header("retry-after"))

    def _pause(self, answer: Answer | None, attempt: int) -> float:
        """As long as the answer asks for, or 0.1, 0.2, 0.4 … s; spread, so that not all come back at once."""
        asked = answer.retry_after if answer is not None else None
        if asked is not None and asked.isdigit():
            return int(asked) + self._jitter.uniform(0, 0.5)
        return min(LONGEST_PAUSE, 0.1 * 2.0 ** min(attempt, 8)) * self._jitter.uniform(0.5, 1)


def _parse(payload: memoryview) -> Any:
    try:
        return orjson.loads(payload)
    except orjson.JSONDecodeError:
        return bytes(payload[:300]).decode(errors="replace")
