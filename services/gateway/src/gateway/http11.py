"""What HTTP/1.1 demands of a head beyond what the parser sees to, and the lines that start an answer."""

import http

from gateway import problems
from gateway.problems import Refusal
from gateway.request import Request

STATUS_LINE = {s.value: f"HTTP/1.1 {s.value} {s.phrase}\r\n".encode() for s in http.HTTPStatus}
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


def status_line(status: int) -> bytes:
    """The first line of an answer."""
    return STATUS_LINE.get(status) or b"HTTP/1.1 %d Unknown\r\n" % status


def too_large() -> Refusal:
    """A 431; the rest of the head is not read."""
    detail = "Request line and headers are larger than is accepted"
    return Refusal(problems.HEADER_TOO_LARGE, detail, "header-limit", close=True)


def malformed(detail: str) -> Refusal:
    """A 400 after which nothing on this connection can be trusted."""
    return Refusal(problems.MALFORMED, detail, "malformed", close=True)


def inspect(request: Request, version: str) -> Refusal | None:
    """What is wrong with a head that the parser accepted; also fills in the request's framing.

    The parser refuses Content-Length beside Transfer-Encoding and repeated lengths; it accepts no Host, two Hosts and
    codings other than chunked.
    """
    hosts = 0
    codings: list[bytes] = []
    for name, value in request.headers:
        if name == b"host":
            hosts += 1
        elif name == b"content-length":
            request.length = int(value)
        elif name == b"transfer-encoding":
            codings.append(value.lower())
        elif name == b"upgrade":
            return malformed("No other protocol is offered here")
        elif name == b"expect":
            request.expects_continue = value.lower() == b"100-continue"
    if not codings and request.length is None:
        request.length = 0
    return _framing_defect(version, hosts, codings)


def _framing_defect(version: str, hosts: int, codings: list[bytes]) -> Refusal | None:
    if version not in ("1.1", "1.0"):
        return malformed("HTTP/1.1 is spoken here")
    if hosts > 1 or (hosts == 0 and version == "1.1"):
        return malformed("A request has exactly one Host")
    if codings and (version == "1.0" or codings != [b"chunked"]):
        return malformed("Transfer-Encoding may only be `chunked`")
    return None
