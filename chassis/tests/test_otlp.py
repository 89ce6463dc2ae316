"""Spans and a collector that is absent, comes, goes and comes back."""

import asyncio
import logging
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest
from opentelemetry.trace import SpanKind
from prometheus_client import REGISTRY
from sample.main import Settings
from sample.waiting import until
from structlog.testing import capture_logs
from structlog.typing import EventDict

from chassis import otlp, telemetry
from chassis.telemetry import Telemetry

NO_NAME = "http://no-such-collector.invalid:4318"
FAILING, RECOVERED = "telemetry.export-failing", "telemetry.export-recovered"


class Sink:
    """A collector's port, at which somebody listens or not."""

    def __init__(self, port: int) -> None:
        self.endpoint = f"http://127.0.0.1:{port}"
        self.port = port
        self.batches = 0
        self.connections = 0

    @asynccontextmanager
    async def listening(self, status: bytes = b"200 OK") -> AsyncIterator[None]:
        async def collect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            self.connections += 1
            head = await reader.readuntil(b"\r\n\r\n")
            length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
            await reader.readexactly(int(length.split(b":")[1]))
            writer.write(b"HTTP/1.1 %b\r\nContent-Length: 0\r\nConnection: close\r\n\r\n" % status)
            writer.close()
            self.batches += 1

        server = await asyncio.start_server(collect, "127.0.0.1", self.port, reuse_address=True)
        yield
        server.close()


@pytest.fixture
async def sink() -> Sink:
    async with await asyncio.start_server(lambda *_: None, "127.0.0.1", 0) as server:
        port: int = server.sockets[0].getsockname()[1]
    return Sink(port)


@pytest.fixture
def logged() -> Iterator[list[EventDict]]:
    with capture_logs() as lines:
        yield lines


def events(logged: list[EventDict]) -> list[str]:
    return [line["event"] for line in logged if line["event"].startswith("telemetry.")]


@asynccontextmanager
async def recording(settings: Settings, endpoint: str, retry_seconds: float = 0.3) -> AsyncIterator[Telemetry]:
    collector = otlp.Collector(endpoint, retry_seconds=retry_seconds, batch_seconds=0.02)
    part = Telemetry(settings.model_copy(update={"otlp_endpoint": endpoint}), collector=collector)
    await part.start()
    yield part
    await part.stop()


def work() -> bool:
    """One piece of work; True when a span was made of it."""
    with telemetry.span("work", SpanKind.INTERNAL) as span:
        return span.is_recording()


def told(logged: list[EventDict], event: str) -> bool:
    work()
    return event in events(logged)


async def test_each_change_is_one_line_and_spans_flow_again_by_themselves(
    alone: Settings, sink: Sink, logged: list[EventDict], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "opentelemetry")
    async with recording(alone, sink.endpoint):
        await until(lambda: told(logged, FAILING))
        async with sink.listening():
            await until(lambda: told(logged, RECOVERED))
            await until(lambda: work() and sink.batches > 3)
            assert REGISTRY.get_sample_value("telemetry_exporting") == 1
        logged_before, logged[:] = list(logged), []
        await until(lambda: told(logged, FAILING))
        assert REGISTRY.get_sample_value("telemetry_exporting") == 0
        async with sink.listening():
            await until(lambda: told(logged, RECOVERED))
            assert events(logged_before) == events(logged) == [FAILING, RECOVERED]
    assert "Connection refused" in logged_before[0]["reason"]
    assert logged_before[0]["endpoint"] == sink.endpoint
    assert [r for r in caplog.records if r.name != "opentelemetry.trace"] == [], "none of OpenTelemetry's own lines"


async def test_for_an_absent_collector_hardly_a_span_is_made(
    alone: Settings, sink: Sink, logged: list[EventDict]
) -> None:
    lost = REGISTRY.get_sample_value("telemetry_spans_lost_total") or 0
    async with recording(alone, sink.endpoint, retry_seconds=5) as part:
        await until(lambda: told(logged, FAILING))
        made = sum(work() for _ in range(20_000))
        assert made <= 1
        assert not part.recording()
        await until(part.recording)
    assert (REGISTRY.get_sample_value("telemetry_spans_lost_total") or 0) > lost


@pytest.mark.parametrize("status", [b"503 Service Unavailable", b"400 Bad Request"])
async def test_a_collector_that_refuses_is_not_asked_all_the_time(
    alone: Settings, sink: Sink, logged: list[EventDict], status: bytes
) -> None:
    async with sink.listening(status), recording(alone, sink.endpoint):
        await until(lambda: told(logged, FAILING))
        asked = sink.connections
        begun = time.monotonic()
        await until(lambda: work() and sink.connections > asked)
        assert time.monotonic() - begun > 0.2
    assert events(logged) == [FAILING]
    assert status[:3].decode() in logged[0]["reason"] or status[4:].decode() in logged[0]["reason"]


@pytest.mark.parametrize("endpoint", [NO_NAME, "http://127.0.0.1:1", "http://192.0.2.1:4318"])
async def test_an_absent_collector_does_not_hold_up_the_end(
    alone: Settings, logged: list[EventDict], endpoint: str
) -> None:
    async with recording(alone, endpoint):
        for _ in range(100):
            work()
        begun = time.monotonic()
    assert time.monotonic() - begun < telemetry.STOP_SECONDS + 2


def test_only_a_collector_that_is_made_silences_the_exporter() -> None:
    script = """
import logging
from chassis import otlp
def filters(): return len(logging.getLogger(otlp.EXPORTER).filters)
print(filters(), [otlp.Collector("http://127.0.0.1:1") and filters() for _ in range(2)])
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "0 [1, 1]\n"
