"""Traces and request metrics. Names follow OpenTelemetry's semantic conventions.

Without an OTLP endpoint no span is recorded, but trace ids are still made and passed on, so that logs and problem
documents of one request can be found by one id.
"""

import asyncio
from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import Span, SpanContext, SpanKind
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from chassis.settings import ServiceSettings

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import SpanProcessor, TracerProvider

_PROPAGATOR = TraceContextTextMapPropagator()
# Of the latest `Telemetry`; the global provider can be set once a process, and a test runs many applications in one.
_tracer = trace.get_tracer("chassis")


class Telemetry:
    """The trace provider of the process: started first, stopped last, so that nothing in between is lost."""

    name = "telemetry"

    def __init__(self, settings: ServiceSettings, processor: "SpanProcessor | None" = None) -> None:
        self._settings = settings
        self._processor = processor
        self._provider: TracerProvider | None = None

    async def start(self) -> None:
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ParentBasedTraceIdRatio

        settings = self._settings
        exporting = self._processor is not None or settings.otlp_endpoint is not None
        self._provider = TracerProvider(
            resource=Resource(
                {
                    "service.name": settings.service_name,
                    "service.version": settings.version,
                    "vcs.ref.head.revision": settings.commit,
                }
            ),
            sampler=ParentBasedTraceIdRatio(settings.trace_ratio) if exporting else ALWAYS_OFF,
            shutdown_on_exit=False,
        )
        if exporting:
            self._provider.add_span_processor(self._processor or _otlp(settings.otlp_endpoint or ""))
        trace.set_tracer_provider(self._provider)
        global _tracer
        _tracer = self._provider.get_tracer("chassis")

    async def stop(self) -> None:
        if self._provider is not None:
            await asyncio.to_thread(self._provider.shutdown)


def _otlp(endpoint: str) -> "SpanProcessor":
    # Imported here: the exporter and protobuf cost 15 MiB that a process without a collector need not pay.
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    return BatchSpanProcessor(OTLPSpanExporter(endpoint=f"{endpoint.rstrip('/')}/v1/traces"))


def span(
    name: str,
    kind: SpanKind,
    attributes: Mapping[str, str | int] | None = None,
    parent: Context | None = None,
) -> AbstractContextManager[Span]:
    """A span round a `with` block; `parent` comes from `extract`, without it the current span is the parent."""
    return _tracer.start_as_current_span(name, parent, kind, attributes)


def extract(traceparent: str | None) -> Context:
    """The context that a `traceparent` value names; none, or an invalid one, starts a new trace."""
    return _PROPAGATOR.extract({"traceparent": traceparent} if traceparent else {}, Context())


def traceparent() -> str | None:
    """The `traceparent` value of the current span, to send with a request or a message."""
    carrier: dict[str, str] = {}
    _PROPAGATOR.inject(carrier)
    return carrier.get("traceparent")


def trace_context() -> SpanContext:
    """Ids of the current span; `is_valid` is False outside of any."""
    current: Span = trace.get_current_span()
    return current.get_span_context()


def trace_id() -> str | None:
    """Id of the current trace in hexadecimal, or None outside of any."""
    context = trace_context()
    return f"{context.trace_id:032x}" if context.is_valid else None
