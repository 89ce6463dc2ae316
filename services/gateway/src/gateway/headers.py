"""Which headers go through, which are set anew. A header that a caller could forge to a service never goes through."""

from collections.abc import Iterable
from functools import lru_cache
from uuid import UUID

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
    kept = _kept(request.headers, _DROPPED)
    return b"%b %b HTTP/1.1\r\nhost: %b\r\n%b%bx-forwarded-for: %b\r\n%btraceparent: %b\r\n" % (
        request.method,
        request.target,
        authority,
        b"".join([b"%b: %b\r\n" % header for header in kept if not header[0].startswith(_DROPPED_PREFIXES)]),
        b"" if caller is None else _identity(caller.id.int, caller.roles),
        request.peer.encode(),
        _origin(request.header(b"host")),
        traceparent,
    )


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
    return lines(_kept(response.headers, _DROPPED_FROM_ANSWER))


def lines(headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Header lines."""
    return b"".join([b"%b: %b\r\n" % header for header in headers])


def _kept(headers: Headers, dropped: frozenset[bytes]) -> Headers:
    for name, value in headers:
        if name == b"connection" and value.lower() not in _ORDINARY_CONNECTION:
            dropped = dropped | {part.strip().lower() for part in value.split(b",")}
    return [header for header in headers if header[0] not in dropped]


@lru_cache(maxsize=10_000)
def _identity(caller: int, roles: frozenset[str]) -> bytes:
    listed = ",".join(sorted(roles)).encode()
    return b"x-caller-id: %b\r\nx-caller-roles: %b\r\n" % (str(UUID(int=caller)).encode(), listed)


@lru_cache(maxsize=100)
def _origin(host: bytes | None) -> bytes:
    return b"x-forwarded-host: %b\r\nx-forwarded-proto: http\r\n" % (host or b"")
