"""Errors at the border: RFC 9457 problem details with a stable `type`.

Domain errors carry no status. A service hands `install` its table from error class to `Problem`; the rest (validation,
unknown route, unreachable database, a passed deadline, a bug) is the same everywhere and stands here.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson
import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from chassis.breaker import BreakerOpen
from chassis.deadlines import DeadlineExceeded
from chassis.telemetry import trace_id

MEDIA_TYPE = "application/problem+json"
log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Problem:
    """A kind of problem: HTTP status, the last part of the stable type, a title for people."""

    status: int
    slug: str
    title: str

    @property
    def type(self) -> str:
        return f"urn:banyan:problem:{self.slug}"


class DependencyUnavailable(Exception):
    """Something that this request needs does not answer now; the same request may succeed later."""


class ProblemError(Exception):
    """A problem raised at the border itself, with the headers that belong to it."""

    def __init__(self, problem: Problem, detail: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.problem = problem
        self.headers = dict(headers or {})


MALFORMED = Problem(400, "malformed-request", "The request could not be read")
UNAUTHENTICATED = Problem(401, "unauthenticated", "A valid access token is needed")
FORBIDDEN = Problem(403, "forbidden", "The caller may not do this")
NOT_FOUND = Problem(404, "not-found", "There is no such thing here")
METHOD_NOT_ALLOWED = Problem(405, "method-not-allowed", "This method does not apply here")
TOO_LARGE = Problem(413, "payload-too-large", "The request body is too large")
UNPROCESSABLE = Problem(422, "unprocessable", "The request does not fit the contract")
TOO_MANY_REQUESTS = Problem(429, "too-many-requests", "Too many requests")
INTERNAL = Problem(500, "internal", "Something went wrong on our side")
UNAVAILABLE = Problem(503, "upstream-unavailable", "A dependency does not answer")
DEADLINE = Problem(504, "deadline-exceeded", "The time allowed for this request has passed")
_BY_STATUS = {p.status: p for p in (MALFORMED, UNAUTHENTICATED, FORBIDDEN, NOT_FOUND, METHOD_NOT_ALLOWED, TOO_LARGE)}

COMMON: Mapping[type[Exception], Problem] = {DeadlineExceeded: DEADLINE, DependencyUnavailable: UNAVAILABLE}


def body(problem: Problem, detail: str, instance: str | None = None, **extra: Any) -> bytes:
    """The problem document as JSON bytes, with the id of the current trace."""
    document = {"type": problem.type, "title": problem.title, "status": problem.status, "detail": detail}
    if instance is not None:
        document["instance"] = instance
    return orjson.dumps({**document, "trace_id": trace_id(), **extra})


def response(problem: Problem, detail: str, headers: Mapping[str, str] | None = None, **extra: Any) -> Response:
    """The problem as a response."""
    return Response(body(problem, detail, **extra), problem.status, dict(headers or {}), MEDIA_TYPE)


def install(app: FastAPI, table: Mapping[type[Exception], Problem]) -> None:
    """Render the errors of `table`, and those that every service has, as problems."""
    for error, problem in {**COMMON, **table}.items():
        app.add_exception_handler(error, _render(problem))
    app.add_exception_handler(ProblemError, _problem_error)
    app.add_exception_handler(BreakerOpen, _breaker_open)
    app.add_exception_handler(RequestValidationError, _validation_error)
    app.add_exception_handler(HTTPException, _http_error)


def _render(problem: Problem) -> Any:
    async def render(request: Request, error: Exception) -> Response:
        headers = {"Retry-After": "1"} if problem.status == UNAVAILABLE.status else {}
        return response(problem, str(error) or problem.title, headers, instance=request.url.path)

    return render


async def _problem_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, ProblemError)  # noqa: S101 - registered for this class only
    return response(error.problem, str(error), error.headers, instance=request.url.path)


async def _breaker_open(request: Request, error: Exception) -> Response:
    assert isinstance(error, BreakerOpen)  # noqa: S101 - registered for this class only
    headers = {"Retry-After": str(max(1, round(error.retry_after)))}
    return response(UNAVAILABLE, str(error), headers, instance=request.url.path)


async def _validation_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for this class only
    faults = [{"loc": e["loc"], "msg": e["msg"], "type": e["type"]} for e in error.errors()]
    if any(fault["type"] == "json_invalid" for fault in faults):
        return response(MALFORMED, "The body is not JSON", instance=request.url.path)
    if absent := next((f["loc"][1] for f in faults if f["type"] == "missing" and f["loc"][0] == "header"), None):
        problem = Problem(400, f"{absent}-missing", "A header that this request needs is missing")
        return response(problem, f"Send the header {absent}", instance=request.url.path)
    detail = "; ".join(f"{'.'.join(map(str, f['loc']))}: {f['msg']}" for f in faults[:5])
    return response(UNPROCESSABLE, detail, instance=request.url.path, errors=faults[:50])


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for this class only
    problem = _BY_STATUS.get(error.status_code) or Problem(error.status_code, "http-error", str(error.detail))
    return response(problem, str(error.detail), error.headers, instance=request.url.path)


def bug(error: Exception, path: str) -> Response:
    """Log an unexpected error, and answer without telling of the inside."""
    log.error("http.bug", exc_info=error, path=path)
    return response(INTERNAL, "The error was recorded under this trace id", instance=path)


def describe(schema: dict[str, Any]) -> dict[str, Any]:
    """Make an OpenAPI document say what `install` does: every error answer is a problem document."""
    components = schema.setdefault("components", {}).setdefault("schemas", {})
    for unused in ("HTTPValidationError", "ValidationError"):
        components.pop(unused, None)
    components["Problem"] = _PROBLEM_SCHEMA
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    for operations in schema.get("paths", {}).values():
        for operation in operations.values():
            for status, answer in operation.get("responses", {}).items():
                if status >= "400":
                    answer["content"] = content
    return schema


def responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The `responses=` of a route that may answer with these error statuses."""
    return {status: {"description": "problem"} for status in (400, 413, 422, 503, 504, *statuses)}


_PROBLEM_SCHEMA = {
    "title": "Problem",
    "type": "object",
    "required": ["type", "title", "status", "detail", "trace_id"],
    "properties": {
        "type": {"type": "string", "format": "uri"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "instance": {"type": "string"},
        "trace_id": {"type": ["string", "null"]},
        "errors": {"type": "array", "items": {"type": "object"}},
    },
}
