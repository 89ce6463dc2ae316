"""Refusals: problem documents (RFC 9457) that the gateway answers itself."""

from dataclasses import dataclass

import orjson

from chassis.errors import (
    DEADLINE,
    FORBIDDEN,
    INTERNAL,
    MALFORMED,
    MEDIA_TYPE,
    METHOD_NOT_ALLOWED,
    NOT_FOUND,
    TOO_LARGE,
    TOO_MANY_REQUESTS,
    UNAUTHENTICATED,
    UNAVAILABLE,
    Problem,
)

HEADER_TOO_LARGE = Problem(431, "header-too-large", "The request headers are too large")
TOO_SLOW = Problem(408, "request-timeout", "The request took too long to arrive")

__all__ = [
    "DEADLINE",
    "FORBIDDEN",
    "HEADER_TOO_LARGE",
    "INTERNAL",
    "MALFORMED",
    "METHOD_NOT_ALLOWED",
    "NOT_FOUND",
    "TOO_LARGE",
    "TOO_MANY_REQUESTS",
    "TOO_SLOW",
    "UNAUTHENTICATED",
    "UNAVAILABLE",
    "Refusal",
]


@dataclass
class Refusal(Exception):
    """Ends a request. `reason` names it in metrics; `close` when the connection cannot be used any further."""

    problem: Problem
    detail: str
    reason: str
    headers: tuple[tuple[str, str], ...] = ()
    close: bool = False

    def body(self, trace_id: str | None, instance: str | None) -> bytes:
        """The document as JSON."""
        document = {"type": self.problem.type, "title": self.problem.title, "status": self.problem.status}
        if instance is not None:
            document["instance"] = instance
        return orjson.dumps({**document, "detail": self.detail, "trace_id": trace_id})

    def lines(self) -> list[tuple[bytes, bytes]]:
        """The response headers."""
        return [
            (b"content-type", MEDIA_TYPE.encode()),
            *((name.encode(), value.encode()) for name, value in self.headers),
        ]


def retry_after(seconds: float) -> tuple[str, str]:
    """A `Retry-After` header: whole seconds, at least one."""
    return ("retry-after", str(max(1, round(seconds + 0.499))))
