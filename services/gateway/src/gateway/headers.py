"""Which headers go through, which are set anew. A header that a caller could forge to a service never goes through."""

from collections.abc import Iterable

from chassis.auth import Caller
from gateway.request import Headers, Request
from gateway.upstream import Response

# RFC 9110, 7.6.1, and what older clients send; `te` and `trailer` are pointless without trailers, which are dropped.
HOP_BY_HOP = frozenset(
    {
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    }
)
# What a service believes because the gateway says it: from outside it is dropped.
SET_HERE = frozenset(
    {
        b"forwarded",
        b"traceparent",
        b"x-caller-id",
        b"x-caller-roles",
        b"x-forwarded-for",
        b"x-forwarded-host",
        b"x-forwarded-port",
        b"x-forwarded-prefix",
        b"x-forwarded-proto",
        b"x-forwarded-server",
        b"x-real-ip",
        b"x-request-deadline",
    }
)
_DROPPED = HOP_BY_HOP | SET_HERE | {b"host", b"content-length", b"expect"}
_DROPPED_PREFIXES = (b"x-caller-", b"x-forwarded-")
_DROPPED_FROM_ANSWER = HOP_BY_HOP | {b"content-length"}
_ORDINARY_CONNECTION = frozenset({b"keep-alive", b"close"})


def forwarded(request: Request, authority: bytes, caller: Caller | None, traceparent: bytes) -> bytes:
    """Request line and headers for the upstream, without framing, deadline and the empty line."""
    dropped = _DROPPED
    parts = [b"%b %b HTTP/1.1\r\nhost: %b\r\n" % (request.method, request.target, authority)]
    host = b""
    for name, value in request.headers:
        if name == b"connection" and value.lower() not in _ORDINARY_CONNECTION:
            dropped = _DROPPED | _named_by_connection(request.headers)
        elif name == b"host":
            host = value
    for name, value in request.headers:
        if name not in dropped and not name.startswith(_DROPPED_PREFIXES):
            parts.append(b"%b: %b\r\n" % (name, value))
    if caller is not None:
        roles = ",".join(sorted(caller.roles)).encode()
        parts.append(b"x-caller-id: %b\r\nx-caller-roles: %b\r\n" % (str(caller.id).encode(), roles))
    parts.append(
        b"x-forwarded-for: %b\r\nx-forwarded-host: %b\r\nx-forwarded-proto: http\r\ntraceparent: %b\r\n"
        % (request.peer.encode(), host, traceparent)
    )
    return b"".join(parts)


def framing(request: Request, whole_body: bytes | None) -> bytes:
    """How the body is delimited towards the upstream; `None` for a body that is streamed."""
    if whole_body is None:
        if request.length is None:
            return b"transfer-encoding: chunked\r\n"
        return b"content-length: %d\r\n" % request.length
    if whole_body or request.length is None or request.method not in (b"GET", b"HEAD", b"DELETE", b"OPTIONS"):
        return b"content-length: %d\r\n" % len(whole_body)
    return b""


def answered(response: Response) -> bytes:
    """The header lines of the answer, without framing."""
    dropped: frozenset[bytes] = _DROPPED_FROM_ANSWER
    connection = response.header(b"connection")
    if connection is not None and connection.lower() not in _ORDINARY_CONNECTION:
        dropped = dropped | _named_by_connection(response.headers)
    return b"".join([b"%b: %b\r\n" % header for header in response.headers if header[0] not in dropped])


def lines(headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Header lines."""
    return b"".join([b"%b: %b\r\n" % header for header in headers])


def _named_by_connection(headers: Headers) -> frozenset[bytes]:
    values = [value for name, value in headers if name == b"connection"]
    return frozenset(part.strip().lower() for part in b",".join(values).split(b","))
