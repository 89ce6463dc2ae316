"""A customer's request on its way: read, placed, answered by the side whose turn it is, counted, mirrored.

What the old shop answers goes back to the byte. What a canary cannot answer, the old shop does.
"""

import asyncio
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

import structlog
from fastapi import APIRouter
from starlette.routing import Route
from starlette.types import Message, Receive, Scope, Send

from chassis import errors
from chassis.errors import Problem
from chassis.http_client import OutcomeUnknown
from facade import routing
from facade.canary import Visitors
from facade.domain import Capability, Side, Stage, Standing, side
from facade.legacy_http import LegacyRequest, LegacyResponse
from facade.ports import CannotAnswer, Parking, Standings, Tally, Upstream
from facade.routing import Area, Place

log = structlog.get_logger(__name__)
# Of the new side. In a canary there must be time left for the old shop; an order is polled for eight seconds.
CANARY_SECONDS, MODERN_SECONDS = 2.0, 12.0
UNKNOWN = Problem(504, "outcome-unknown", "It is not known whether this took effect")
COMPARED = frozenset({Stage.SHADOW, Stage.CANARY})


class Mirror(Protocol):
    """Where exchanges are compared, later, and if it can be while no customer is being served."""

    def customer(self) -> AbstractContextManager[None]: ...

    def offer(
        self,
        capability: Capability,
        request: LegacyRequest,
        side: Side,
        answer: LegacyResponse,
        *,
        write: bool = False,
    ) -> None: ...


class Budget(Protocol):
    """Counts the answers of a canary."""

    def record(self, standing: Standing, error: bool) -> None: ...


@dataclass(frozen=True)
class Sides:
    """Both sides as customers see them. `modern` has one for each area."""

    legacy: Upstream
    modern: Mapping[Area, Upstream]


class Proxy:
    """An ASGI application for everything below `/legacy`. The limit of a body is the chassis' (64 KiB, 413)."""

    def __init__(
        self,
        sides: Sides,
        standings: Standings,
        parking: Parking,
        visitors: Visitors,
        budget: Budget,
        mirror: Mirror,
        tally: Tally,
        canary_seconds: float = CANARY_SECONDS,
    ) -> None:
        self._sides = sides
        self._standings = standings
        self._parking = parking
        self._visitors = visitors
        self._budget = budget
        self._mirror = mirror
        self._tally = tally
        self._canary_seconds = canary_seconds

    def router(self) -> APIRouter:
        """Of any method: which there are is for the old shop to say."""
        return APIRouter(routes=[Route("/legacy", self), Route("/legacy/{path:path}", self)])

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = await _read(scope, receive)
        place = routing.find(request.method, request.path)
        scope["route"] = place  # of the metrics
        try:
            with self._mirror.customer():
                answer = await self._answer(request, place)
        except CannotAnswer as error:
            problem = errors.response(errors.UNAVAILABLE, str(error), {"Retry-After": "1"}, instance=request.path)
            await problem(scope, receive, send)
        except OutcomeUnknown as error:
            await errors.response(UNKNOWN, str(error), instance=request.path)(scope, receive, send)
        else:
            await _write(answer, request.method, send)

    async def _answer(self, request: LegacyRequest, place: Place) -> LegacyResponse:
        capability = place.area.capability
        if capability is None:
            return await (self._sides.modern[place.area] if self._retired() else self._sides.legacy).answer(request)
        if place.write:
            return await self._write(capability, request, place)
        standing = self._standings.of(capability)
        if standing.stage is Stage.CANARY:
            return await self._canary(standing, request, place)
        turn = side(standing, "")
        answer = await self._by(turn, capability, request, place)
        self._compare(standing, request, turn, answer)
        return answer

    async def _write(self, capability: Capability, request: LegacyRequest, place: Place) -> LegacyResponse:
        """By the one writer, whoever it is once the write may go on."""
        async with self._parking.write(capability) as turn:
            answer = await self._by(turn, capability, request, place)
            stage = self._standings.of(capability).stage
        if turn is Side.LEGACY and stage is Stage.SHADOW:
            self._mirror.offer(capability, request, turn, answer, write=True)
        return answer

    async def _canary(self, standing: Standing, request: LegacyRequest, place: Place) -> LegacyResponse:
        visitor = self._visitors.identify(request)
        turn = side(standing, visitor.key)
        if turn is Side.MODERN:
            answer = await self._try(standing, request, place)
            if answer is not None:
                self._compare(standing, request, turn, answer)
                return visitor.remembered(answer)
        answer = await self._by(Side.LEGACY, standing.capability, request, place)
        if turn is Side.LEGACY:
            self._compare(standing, request, turn, answer)
        return visitor.remembered(answer)

    async def _try(self, standing: Standing, request: LegacyRequest, place: Place) -> LegacyResponse | None:
        """The new side's answer; None when it has none and the old shop can still be asked."""
        try:
            answer = await self._by(Side.MODERN, standing.capability, request, place, self._canary_seconds)
        except Exception as error:
            log.warning("canary.failed", capability=standing.capability, error=type(error).__name__)
            self._budget.record(standing, error=True)
            if request.method not in routing.READS:
                raise
            return None
        self._budget.record(standing, error=False)
        return answer

    async def _by(
        self,
        turn: Side,
        capability: Capability,
        request: LegacyRequest,
        place: Place,
        seconds: float = MODERN_SECONDS,
    ) -> LegacyResponse:
        started = time.perf_counter()
        try:
            if turn is Side.LEGACY:
                answer = await self._sides.legacy.answer(request)
            else:
                answer = await self._modern(request, place, seconds)
        except Exception:
            self._tally.failed(capability, turn)
            raise
        self._tally.answered(capability, turn, (time.perf_counter() - started) * 1000)
        return answer

    async def _modern(self, request: LegacyRequest, place: Place, seconds: float) -> LegacyResponse:
        try:
            async with asyncio.timeout(seconds):
                answer = await self._sides.modern[place.area].answer(request)
        except TimeoutError:
            why = f"no answer within {seconds:.0f} s"
            raise (OutcomeUnknown(why) if place.write else CannotAnswer(why)) from None
        if answer.status >= 500 and not place.write:
            raise CannotAnswer(f"the new side answered {answer.status}")
        return answer

    def _compare(self, standing: Standing, request: LegacyRequest, turn: Side, answer: LegacyResponse) -> None:
        if standing.stage in COMPARED and request.method == "GET":
            self._mirror.offer(standing.capability, request, turn, answer)

    def _retired(self) -> bool:
        return all(self._standings.of(each).stage is Stage.RETIRED for each in Capability)


async def _read(scope: Scope, receive: Receive) -> LegacyRequest:
    """The request as it was sent, and in `X-Forwarded-For` from where."""
    headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]]
    path = scope.get("raw_path") or scope["path"].encode()
    return LegacyRequest(
        scope["method"],
        path.decode("latin-1"),
        scope["query_string"].decode("latin-1"),
        tuple(_forwarded(headers, scope)),
        await _body(receive),
    )


def _forwarded(headers: list[tuple[str, str]], scope: Scope) -> list[tuple[str, str]]:
    peer = scope["client"][0] if scope.get("client") else "unknown"
    before = [value for name, value in headers if name == "x-forwarded-for"]
    kept = [pair for pair in headers if pair[0] != "x-forwarded-for"]
    if not any(name == "x-forwarded-host" for name, _ in kept):
        kept.extend(("x-forwarded-host", value) for name, value in headers if name == "host")
    return [*kept, ("x-forwarded-for", ", ".join([*before, peer]))]


async def _body(receive: Receive) -> bytes:
    body = bytearray()
    while True:
        message: Message = await receive()
        if message["type"] == "http.disconnect":
            raise CannotAnswer("the client has gone before its request was read")
        body += message.get("body", b"")
        if not message.get("more_body", False):
            return bytes(body)


async def _write(answer: LegacyResponse, method: str, send: Send) -> None:
    # The server writes a date into every answer, so that of the old shop would be a second one.
    pairs = [(name.lower(), value) for name, value in answer.headers if name.lower() != "date"]
    bodiless = method == "HEAD" or answer.status in (204, 304)
    if not bodiless and not any(name == "content-length" for name, _ in pairs):
        pairs.append(("content-length", str(len(answer.body))))
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in pairs]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if bodiless else answer.body})
