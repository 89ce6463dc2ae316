"""Traces and request metrics. Names follow OpenTelemetry's semantic conventions.

Without an OTLP endpoint no span is recorded, but trace ids are still made and passed on, so that logs and problem
documents of one request can be found by one id.
"""

import asyncio
import contextlib
import threading
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
    from opentelemetry.sdk.trace.sampling import Sampler

    from chassis.otlp import Collector

STOP_SECONDS = 1.5
_PROPAGATOR = TraceContextTextMapPropagator()
# Of the latest `Telemetry`; the global provider can be set once a process, and a test runs many applications in one.
_tracer = trace.get_tracer("chassis")


class Telemetry:
    """The trace provider of the process: started first, stopped last, so that nothing in between is lost."""

    name = "telemetry"

    def __init__(
        self,
        settings: ServiceSettings,
        processor: "SpanProcessor | None" = None,
        collector: "Collector | None" = None,
    ) -> None:
        self._settings = settings
        self._processor = processor
        self._collector = collector
        self._provider: TracerProvider | None = None

    async def start(self) -> None:
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider

        settings = self._settings
        sampler = self._prepare()
        self._provider = TracerProvider(
            resource=Resource(
                {
                    "service.name": settings.service_name,
                    "service.version": settings.version,
                    "vcs.ref.head.revision": settings.commit,
                }
            ),
            sampler=sampler,
            shutdown_on_exit=False,
        )
        if self._processor is not None:
            self._provider.add_span_processor(self._processor)
        trace.set_tracer_provider(self._provider)
        global _tracer
        _tracer = self._provider.get_tracer("chassis")

    def recording(self) -> bool:
        """Whether anybody would see a span that begins now: who makes none without need can ask before."""
        return self._processor is not None and (self._collector is None or self._collector.wanted())

    async def stop(self) -> None:
        """Send what is left, for at most 1.5 seconds."""
        if self._provider is None:
            return
        # Not `to_thread`: the end of the process would wait for a thread that waits for a name server.
        done = asyncio.Event()
        loop = asyncio.get_running_loop()
        threading.Thread(target=_shut_down, args=(self._provider, loop, done), daemon=True).start()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(STOP_SECONDS):
                await done.wait()

    def _prepare(self) -> "Sampler":
        from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ParentBasedTraceIdRatio

        sampler = ParentBasedTraceIdRatio(self._settings.trace_ratio)
        if self._processor is not None:
            return sampler
        if self._settings.otlp_endpoint is None:
            return ALWAYS_OFF
        # Imported here: the exporter and protobuf cost 15 MiB that a process without a collector need not pay.
        from chassis import otlp

        self._collector = self._collector or otlp.Collector(self._settings.otlp_endpoint)
        self._processor = self._collector.processor()
        return otlp.WhileWanted(sampler, self._collector)


def _shut_down(provider: "TracerProvider", loop: asyncio.AbstractEventLoop, done: asyncio.Event) -> None:
    provider.shutdown()
    with contextlib.suppress(RuntimeError):  # the loop did not wait
        loop.call_soon_threadsafe(done.set)


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
