"""One trace runs from the request through the outbox and the stream to the last handler, and into every log line."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind
from prometheus_client import REGISTRY
from sample.main import Notes, Settings, create_app
from sample.waiting import until
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from chassis import telemetry
from chassis.http_client import HttpClient
from chassis.middleware import RequestTelemetry
from chassis.telemetry import Telemetry

TRACE, CALLER = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
TRACEPARENT = {"traceparent": f"00-{TRACE}-{CALLER}-01"}


@pytest.fixture
def exporter() -> InMemorySpanExporter:
    return InMemorySpanExporter()


class Running:
    """The sample service with its parts at work."""

    def __init__(self, http: httpx.AsyncClient, notes: Notes) -> None:
        self.http = http
        self.notes = notes


@pytest.mark.parametrize(("path", "counted"), [("/notes", 1), ("/readyz", 0)])
async def test_requests_under_way_are_counted_and_probes_are_not(path: str, counted: int) -> None:
    def under_way() -> float | None:
        return REGISTRY.get_sample_value("http_server_active_requests")

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        assert under_way() == counted
        await Response("here")(scope, receive, send)
        raise ValueError("a bug")

    transport = httpx.ASGITransport(RequestTelemetry(app))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as http:
        with pytest.raises(ValueError, match="a bug"):
            await http.get(path)
    assert under_way() == 0


async def run(settings: Settings, exporter: InMemorySpanExporter | None) -> AsyncIterator[Running]:
    processor = None if exporter is None else SimpleSpanProcessor(exporter)
    app, lifecycle, notes = create_app(settings, processor=processor)
    async with (
        lifecycle.lifespan(None),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as http,
    ):
        yield Running(http, notes)


@pytest.fixture
async def traced(settings: Settings, exporter: InMemorySpanExporter) -> AsyncIterator[Running]:
    async for running in run(settings, exporter):
        yield running


@pytest.fixture
async def untraced(settings: Settings) -> AsyncIterator[Running]:
    async for running in run(settings, None):
        yield running


def by_kind(exporter: InMemorySpanExporter, kind: SpanKind) -> list[ReadableSpan]:
    return [span for span in exporter.get_finished_spans() if span.kind is kind]


async def test_one_trace_runs_from_the_request_to_the_handler_of_its_message(
    traced: Running, exporter: InMemorySpanExporter
) -> None:
    await traced.http.post("/notes", json={"text": "x"}, headers=TRACEPARENT)
    await until(lambda: bool(by_kind(exporter, SpanKind.CONSUMER)))
    (server,) = by_kind(exporter, SpanKind.SERVER)
    (consumer,) = by_kind(exporter, SpanKind.CONSUMER)
    assert server.parent is not None
    assert consumer.parent is not None
    assert f"{server.context.trace_id:032x}" == TRACE == f"{consumer.context.trace_id:032x}"
    assert f"{server.parent.span_id:016x}" == CALLER
    assert consumer.parent.span_id == server.context.span_id
    assert (server.name, consumer.name) == ("POST /notes", f"process {traced.notes.heard[0].type}")
    attributes = server.attributes or {}
    assert (attributes["http.route"], attributes["http.response.status_code"]) == ("/notes", 201)
    assert server.resource.attributes["service.name"] == "sample"


async def test_every_span_names_the_version_and_the_commit_that_it_ran(
    settings: Settings, exporter: InMemorySpanExporter
) -> None:
    committed = settings.model_copy(update={"version": "1.2.3", "commit": "0123456789ab"})
    async for running in run(committed, exporter):
        await running.http.post("/notes", json={"text": "x"}, headers=TRACEPARENT)
        await until(lambda: bool(by_kind(exporter, SpanKind.CONSUMER)))
    told = [span.resource.attributes for span in exporter.get_finished_spans()]
    assert {(span["service.version"], span["vcs.ref.head.revision"]) for span in told} == {("1.2.3", "0123456789ab")}


async def test_a_request_is_one_span_and_a_probe_is_none(traced: Running, exporter: InMemorySpanExporter) -> None:
    await traced.http.get("/healthz", headers=TRACEPARENT)
    await traced.http.get("/notes/1", headers=TRACEPARENT)
    assert [span.name for span in exporter.get_finished_spans()] == ["GET /notes/{number}"]


async def test_without_an_endpoint_nothing_is_recorded_but_ids_are_passed_on(untraced: Running) -> None:
    answer = await untraced.http.get("/notes/1", headers=TRACEPARENT)
    assert answer.json()["trace_id"] == TRACE
    await untraced.http.post("/notes", json={"text": "x"}, headers=TRACEPARENT)
    await until(lambda: len(untraced.notes.heard) == 1)
    assert (untraced.notes.heard[0].traceparent or "").split("-")[1] == TRACE


async def test_a_request_without_a_trace_begins_one(untraced: Running) -> None:
    ids = {(await untraced.http.get("/notes/1")).json()["trace_id"] for _ in range(2)}
    assert len(ids) == 2
    assert all(len(trace_id) == 32 and int(trace_id, 16) for trace_id in ids)


@pytest.mark.parametrize("value", ["", "garbage", "00-0-0-01", f"00-{'0' * 32}-{CALLER}-01", f"ff-{TRACE}-{CALLER}-01"])
async def test_a_malformed_traceparent_begins_a_new_trace(untraced: Running, value: str) -> None:
    answer = await untraced.http.get("/notes/1", headers={"traceparent": value})
    assert answer.json()["trace_id"] not in (None, TRACE, "0" * 32)


async def test_a_call_to_another_service_carries_the_trace(traced: Running, exporter: InMemorySpanExporter) -> None:
    received: list[httpx.Request] = []

    async def upstream(request: httpx.Request) -> httpx.Response:
        received.append(request)
        return httpx.Response(200)

    client = HttpClient("other", "http://other.test", timeout=1, transport=httpx.MockTransport(upstream))
    await client.start()
    with telemetry.span("outer", SpanKind.SERVER, parent=telemetry.extract(TRACEPARENT["traceparent"])):
        await client.request("GET", "/")
    await client.stop()
    (call,) = by_kind(exporter, SpanKind.CLIENT)
    assert received[0].headers["traceparent"] == f"00-{TRACE}-{call.context.span_id:016x}-01"


async def test_each_telemetry_of_a_process_records_for_itself(settings: Settings) -> None:
    for _ in range(2):
        exporter = InMemorySpanExporter()
        part = Telemetry(settings, SimpleSpanProcessor(exporter))
        await part.start()
        with telemetry.span("one", SpanKind.INTERNAL):
            pass
        await part.stop()
        assert [span.name for span in exporter.get_finished_spans()] == ["one"]


async def test_with_an_endpoint_spans_are_sent_there_at_the_latest_at_the_stop(alone: Settings) -> None:
    received: list[bytes] = []

    async def collect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        received.append(await reader.readline())
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(collect, "127.0.0.1", 0) as collector:
        host, port = collector.sockets[0].getsockname()
        part = Telemetry(alone.model_copy(update={"otlp_endpoint": f"http://{host}:{port}"}))
        await part.start()
        with telemetry.span("one", SpanKind.INTERNAL):
            pass
        await part.stop()
    assert received == [b"POST /v1/traces HTTP/1.1\r\n"]
