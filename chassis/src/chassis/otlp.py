"""Spans to a collector that may be absent, go and come back: one log line a change, and hardly any work meanwhile.

OpenTelemetry's exporter tries each batch for seconds and logs each try. And a span costs the gateway as much as all the
rest of a request: while the collector is absent none is made, but for one now and then, to see whether it is back.
"""

import logging
import time
from collections.abc import Sequence
from typing import Any

import structlog
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, Decision, Sampler, SamplingResult
from prometheus_client import Counter, Gauge

log = structlog.get_logger(__name__)
EXPORTING = Gauge("telemetry_exporting", "1 while the collector takes spans")
LOST = Counter("telemetry_spans_lost_total", "Spans that nobody took")

EXPORTER = "opentelemetry.exporter.otlp.proto.http.trace_exporter"
TRY_SECONDS = 2.0  # for one batch, tries of OpenTelemetry's included
RETRY_SECONDS = 15.0
BATCH_SECONDS = 1.0


class Collector(SpanExporter):
    """Where spans go. Exports on the thread of the processor; `wanted` and `offered` are for that of the sampler."""

    def __init__(
        self, endpoint: str, retry_seconds: float = RETRY_SECONDS, batch_seconds: float = BATCH_SECONDS
    ) -> None:
        self._endpoint = endpoint.rstrip("/")
        self._exporter = OTLPSpanExporter(endpoint=f"{self._endpoint}/v1/traces", timeout=TRY_SECONDS)
        self._retry_seconds = retry_seconds
        self._batch_seconds = batch_seconds
        logging.getLogger(EXPORTER).addFilter(_reasons)
        self._failing = False
        self._trying = False
        self._next_try = 0.0
        EXPORTING.set(1)

    def processor(self) -> BatchSpanProcessor:
        """Collects spans for this exporter; when it has 2,048 it drops the oldest."""
        return BatchSpanProcessor(self, schedule_delay_millis=self._batch_seconds * 1000)

    def wanted(self) -> bool:
        """Whether a span that begins now has a chance to be taken."""
        return not self._failing or time.monotonic() >= self._next_try

    def offered(self) -> None:
        """A span was begun: while the collector is absent it is the one to try with."""
        if self._failing:
            self._trying = True
            self._next_try = time.monotonic() + self._retry_seconds

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        if self._failing and not self._trying:
            LOST.inc(len(spans))
            return SpanExportResult.FAILURE
        self._trying = False
        _reasons.first = ""
        result = self._exporter.export(spans)
        if result is SpanExportResult.SUCCESS:
            self._became(failing=False)
        else:
            LOST.inc(len(spans))
            self._next_try = time.monotonic() + self._retry_seconds
            self._became(failing=True)
        return result

    def shutdown(self) -> None:
        self._exporter.shutdown()  # type: ignore[no-untyped-call]

    def _became(self, failing: bool) -> None:
        if failing is self._failing:
            return
        self._failing = failing
        EXPORTING.set(0 if failing else 1)
        if failing:
            log.warning("telemetry.export-failing", endpoint=self._endpoint, reason=_reasons.first[:300])
        else:
            log.info("telemetry.export-recovered", endpoint=self._endpoint)


class WhileWanted(Sampler):
    """Decides as `sampler`, as long as there is somebody to take the span."""

    def __init__(self, sampler: Sampler, collector: Collector) -> None:
        self._sampler = sampler
        self._collector = collector

    def should_sample(self, *arguments: Any, **named: Any) -> SamplingResult:
        if not self._collector.wanted():
            return ALWAYS_OFF.should_sample(*arguments, **named)
        result = self._sampler.should_sample(*arguments, **named)
        if result.decision is not Decision.DROP:
            self._collector.offered()
        return result

    def get_description(self) -> str:
        return f"WhileWanted({self._sampler.get_description()})"


class _Reasons(logging.Filter):
    """Keeps the first line that the exporter would have logged of a batch, and lets none pass."""

    first = ""

    def filter(self, record: logging.LogRecord) -> bool:
        self.first = self.first or record.getMessage()
        return False


_reasons = _Reasons()
