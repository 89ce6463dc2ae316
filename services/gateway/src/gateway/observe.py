"""What the gateway tells about its traffic: durations by route, refusals by reason, one log line a request.

Counting is on the hot path, so a sample costs one dictionary look-up; the shape that Prometheus wants is made when it
asks. Log lines are written ten times a second: a write a request was a tenth of all the gateway's work.
"""

import asyncio
import random
import sys
import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable
from datetime import UTC, datetime

import orjson
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_LABELS = ("http_route", "upstream", "http_request_method", "http_response_status_code")

Sample = tuple[str, str, str, int]
"""Route, upstream, method, status: the labels of a duration."""


class Metrics(Collector):
    """Rate, errors and durations by route and upstream. `in_flight` is asked when Prometheus asks."""

    def __init__(self, in_flight: Callable[[], dict[str, int]]) -> None:
        self._in_flight = in_flight
        self._durations: dict[Sample, list[float]] = {}
        self.refusals: Counter[str] = Counter()
        self.retries: Counter[str] = Counter()

    def observe(self, sample: Sample, seconds: float) -> None:
        """Count one answer."""
        cell = self._durations.get(sample)
        if cell is None:
            cell = self._durations[sample] = [0.0] * (len(BUCKETS) + 2)
        cell[bisect_left(BUCKETS, seconds)] += 1
        cell[-1] += seconds

    def collect(self) -> Iterable[Metric]:
        yield self._histogram()
        yield _counter("gateway_refusals", "Requests that the gateway refused", "reason", self.refusals)
        yield _counter("gateway_retries", "Attempts beyond the first", "upstream", self.retries)
        gauge = GaugeMetricFamily("gateway_in_flight", "Requests under way", labels=["upstream"])
        for upstream, count in self._in_flight().items():
            gauge.add_metric([upstream], count)
        yield gauge

    def _histogram(self) -> HistogramMetricFamily:
        family = HistogramMetricFamily("gateway_request_duration_seconds", "Duration of requests", labels=_LABELS)
        for (route, upstream, method, status), cell in list(self._durations.items()):
            total = 0.0
            buckets = []
            for bound, count in zip((*map(str, BUCKETS), "+Inf"), cell, strict=False):
                total += count
                buckets.append((bound, total))
            family.add_metric([route, upstream, method, str(status)], buckets, cell[-1])
        return family


def _counter(name: str, documentation: str, label: str, counts: Counter[str]) -> CounterMetricFamily:
    family = CounterMetricFamily(name, documentation, labels=[label])
    for value, count in counts.items():
        family.add_metric([value], count)
    return family


class AccessLog:
    """Collects lines and writes them in one piece. `ratio` of the answers below 400 are logged, and all others."""

    FLUSH_SECONDS = 0.1

    name = "access-log"

    def __init__(self, origin: dict[str, str], ratio: float, write: Callable[[str], object] = sys.stdout.write) -> None:
        self._tail = b"," + orjson.dumps({"level": "info", "event": "http.request", **origin})[1:] + b"\n"
        self._ratio = ratio
        self._write = write
        self._lines: list[bytes] = []

    def record(self, sample: Sample, seconds: float, trace_id: str, peer: str, path: bytes, reason: str) -> None:
        """Note one answered request."""
        status = sample[3]
        if status < 400 and self._ratio < 1 and random.random() >= self._ratio:  # noqa: S311 - sampling, no secret
            return
        if not self._lines:
            asyncio.get_running_loop().call_later(self.FLUSH_SECONDS, self.flush)
        fields = {
            "time": time.time(),
            "method": sample[2],
            "path": path.decode("latin-1"),
            "route": sample[0],
            "upstream": sample[1],
            "status": status,
            "milliseconds": round(seconds * 1000, 2),
            "peer": peer,
            "trace_id": trace_id,
        }
        if reason:
            fields["reason"] = reason
        self._lines.append(_line(fields, self._tail))

    async def start(self) -> None:
        """Nothing to open."""

    async def stop(self) -> None:
        self.flush()

    def flush(self) -> None:
        """Write what was collected."""
        lines, self._lines = self._lines, []
        if lines:
            self._write(b"".join(lines).decode())
            sys.stdout.flush()


def _line(fields: dict[str, object], tail: bytes) -> bytes:
    fields["time"] = datetime.now(UTC)
    return orjson.dumps(fields, option=orjson.OPT_UTC_Z)[:-1] + tail
