"""What every request passes before it reaches a route: telemetry, body limit, deadline. Plain ASGI, in this order.

Starlette's own `BaseHTTPMiddleware` is not used: it breaks the propagation of context variables, on which deadlines
and traces rest, and costs a task a request.
"""

import asyncio
import time
from collections.abc import MutableMapping
from typing import Any

import structlog
from opentelemetry.trace import SpanKind
from prometheus_client import Gauge, Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chassis import deadlines, errors
from chassis.telemetry import extract, span

log = structlog.get_logger("http")
DURATION = Histogram(
    "http_server_request_duration_seconds",
    "Duration of requests",
    ["http_request_method", "http_route", "http_response_status_code"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
ACTIVE = Gauge("http_server_active_requests", "Requests under way")
QUIET_PATHS = frozenset({"/healthz", "/startupz", "/readyz", "/metrics"})


def header(scope: Scope, name: bytes) -> str | None:
    """The first value of a request header (lower-case name), or None."""
    return next((value.decode("latin-1") for key, value in scope["headers"] if key == name), None)


class RequestTelemetry:
    """A server span, a duration and one log line for each request, and how many are under way; not of probes."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in QUIET_PATHS:
            await self._app(scope, receive, send)
            return
        status = 500

        async def observe(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        started = time.perf_counter()
        parent = extract(header(scope, b"traceparent"))
        request = span(scope["method"], SpanKind.SERVER, {"http.request.method": scope["method"]}, parent)
        with ACTIVE.track_inprogress(), request as current:
            try:
                await self._app(scope, receive, observe)
            finally:
                route = getattr(scope.get("route"), "path", "unmatched")
                if current.is_recording():
                    current.update_name(f"{scope['method']} {route}")
                    current.set_attributes({"http.route": route, "http.response.status_code": status})
                _report(scope, route, status, time.perf_counter() - started)


def _report(scope: MutableMapping[str, Any], route: str, status: int, seconds: float) -> None:
    DURATION.labels(scope["method"], route, status).observe(seconds)
    log.info(
        "http.request",
        method=scope["method"],
        route=route,
        status=status,
        milliseconds=round(seconds * 1000, 2),
    )


class Bugs:
    """Answers an unexpected error inside the request's trace; Starlette's own place for it lies outside of that."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = False

        async def watch(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._app(scope, receive, watch)
        except Exception as error:
            if started or scope["type"] != "http":
                raise
            await errors.bug(error, scope["path"])(scope, receive, send)


class BodyLimit:
    """Refuses a body over `limit` bytes: by its declared length at once, otherwise as soon as it has grown past it."""

    def __init__(self, app: ASGIApp, limit: int) -> None:
        self._app = app
        self._limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and _declared(scope) > self._limit:
            await self._refuse(scope, receive, send)
            return
        received = 0
        started = False

        async def count() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > self._limit:
                raise _BodyTooLarge
            return message

        async def watch(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._app(scope, count if scope["type"] == "http" else receive, watch)
        except _BodyTooLarge:
            if not started:
                await self._refuse(scope, receive, send)

    async def _refuse(self, scope: Scope, receive: Receive, send: Send) -> None:
        detail = f"The body may have at most {self._limit} bytes"
        await errors.response(errors.TOO_LARGE, detail, {"Connection": "close"})(scope, receive, send)


def _declared(scope: Scope) -> int:
    try:
        return int(header(scope, b"content-length") or 0)
    except ValueError:
        return 0  # the server's parser refuses these; counting what arrives does not depend on it


class _BodyTooLarge(BaseException):
    """Not an `Exception`: FastAPI turns every `Exception` of reading a body into a 400."""


class Deadline:
    """Takes over the caller's deadline: no work is begun after it, and work still running is cancelled at it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        value = header(scope, b"x-request-deadline") if scope["type"] == "http" else None
        if value is None:
            await self._app(scope, receive, send)
            return
        try:
            left = deadlines.parse(value)
        except ValueError as error:
            await errors.response(errors.MALFORMED, str(error))(scope, receive, send)
            return
        await self._within(left, scope, receive, send)

    async def _within(self, left: float, scope: Scope, receive: Receive, send: Send) -> None:
        started = False

        async def watch(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        deadlines.begin(left)
        try:
            if left <= 0:
                raise TimeoutError
            async with asyncio.timeout(left):
                await self._app(scope, receive, watch)
        except TimeoutError:
            if not started:
                await errors.response(errors.DEADLINE, "The caller's time limit has passed")(scope, receive, send)
