"""The trace of a request: continued when the caller sent a valid `traceparent`, else begun here.

Span objects exist only when they will be exported: they cost more than all the rest of the tracing together.
"""

import random
import re
from collections.abc import Callable

from opentelemetry import trace
from opentelemetry.trace import Span, SpanKind

from chassis.telemetry import extract

_TRACEPARENT = re.compile(rb"00-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-([0-9a-f]{2})")


class Trace:
    """Ids of one request; `traceparent` goes to the upstream."""

    __slots__ = ("_span", "id", "traceparent")

    def __init__(self, trace_id: str, traceparent: bytes, span: Span | None = None) -> None:
        self.id = trace_id
        self.traceparent = traceparent
        self._span = span

    def end(self, method: str, route: str, status: int) -> None:
        """Finish the span, if there is one."""
        if self._span is not None:
            attributes: dict[str, str | int] = {
                "http.request.method": method,
                "http.route": route,
                "http.response.status_code": status,
            }
            self._span.update_name(f"{method} {route}")
            self._span.set_attributes(attributes)
            self._span.end()


class Tracer:
    """Begins traces; `recording` says whether anybody will see a span."""

    def __init__(self, recording: Callable[[], bool], tracer: trace.Tracer | None = None) -> None:
        self._recording = recording
        self._tracer = tracer or trace.get_tracer("gateway")

    def begin(self, received: bytes | None) -> Trace:
        """The trace of a request with this `traceparent`, which may be absent or rubbish."""
        if self._recording():
            return self._with_span(received)
        known = _TRACEPARENT.fullmatch(received) if received else None
        if known is None:
            ids = b"%048x" % random.getrandbits(192)
            return Trace(ids[:32].decode(), b"00-%b-%b-00" % (ids[:32], ids[32:]))
        trace_id, flags = known.groups()
        span_id = random.getrandbits(64)
        return Trace(trace_id.decode(), b"00-%b-%016x-%b" % (trace_id, span_id, flags))

    def _with_span(self, received: bytes | None) -> Trace:
        parent = extract(received.decode("latin-1") if received else None)
        span = self._tracer.start_span("request", parent, SpanKind.SERVER)
        context = span.get_span_context()
        traceparent = f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"
        return Trace(f"{context.trace_id:032x}", traceparent.encode(), span)
