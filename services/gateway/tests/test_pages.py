"""What the gateway answers itself: probes, metrics, log lines, and one document out of those of all services."""

import asyncio
from typing import Any

import orjson
from prometheus_client import CollectorRegistry

from gateway.observe import AccessLog, Metrics
from gateway.openapi import MergedOpenApi
from gateway.pool import Pool
from gateway.routes import ROUTES, Router
from services.gateway.tests.fakes import Received, Tools, Upstream, request


def document(path: str, schema: str) -> dict[str, Any]:
    reference = {"$ref": f"#/components/schemas/{schema}"}
    answer = {"200": {"description": "ok", "content": {"application/json": {"schema": reference}}}}
    return {
        "openapi": "3.1.0",
        "paths": {
            path: {"get": {"operationId": "read", "responses": answer, "security": [{"Bearer": []}]}},
            "/healthz": {},
        },
        "components": {"schemas": {schema: {"type": "object"}}, "securitySchemes": {"Bearer": {"type": "http"}}},
    }


async def serving(described: dict[str, Any]) -> Upstream:
    body = orjson.dumps(described)

    async def script(_: Upstream, __: Received, ___: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)

    upstream = Upstream(script)
    await upstream.start()
    return upstream


async def test_documents_are_merged_under_public_paths_only() -> None:
    catalog = await serving(document("/api/catalog/books", "Book"))
    orders = await serving(document("/api/orders", "Book"))
    pools = {
        "catalog": Pool("127.0.0.1", catalog.port),
        "orders": Pool("127.0.0.1", orders.port),
        "payments": Pool("127.0.0.1", 1),
    }
    merged = MergedOpenApi(pools, Router(ROUTES).covers, "1", lambda: 0.0)
    assert orjson.loads(merged.document())["x-unavailable"] == ["catalog", "orders", "payments"]
    await merged.refresh()
    found = orjson.loads(merged.document())
    assert set(found["paths"]) == {"/api/catalog/books", "/api/orders"}
    assert set(found["components"]["schemas"]) == {"catalog.Book", "orders.Book"}
    read = found["paths"]["/api/orders"]["get"]
    assert read["responses"]["200"]["content"]["application/json"]["schema"] == {
        "$ref": "#/components/schemas/orders.Book"
    }
    assert read["security"] == [{"orders.Bearer": []}]
    assert read["operationId"] == "orders.read"
    assert found["x-unavailable"] == ["payments"]
    for pool in pools.values():
        pool.close()
    await catalog.stop()
    await orders.stop()


async def test_of_the_facade_its_own_interface_is_described_and_not_the_old_shops() -> None:
    described = document("/api/migration/capabilities", "Standing")
    described["paths"]["/internal"] = {}
    facade = await serving(described)
    pool = Pool("127.0.0.1", facade.port)
    merged = MergedOpenApi({"facade": pool}, Router(ROUTES).covers, "1", lambda: 0.0)
    await merged.refresh()
    found = orjson.loads(merged.document())
    assert set(found["paths"]) == {"/api/migration/capabilities"}
    assert found["tags"] == [{"name": "facade"}]
    pool.close()
    await facade.stop()


async def test_probes_metrics_and_documentation_are_served(tools: Tools) -> None:
    await tools.start()
    for path in ("/healthz", "/startupz", "/readyz"):
        assert (await tools.ask(request(path))).status == 200
    await tools.ask(request("/api/catalog/books"))
    metrics = (await tools.ask(request("/metrics"))).body
    assert (
        b'gateway_request_duration_seconds_count{http_request_method="GET",http_response_status_code="200"' in metrics
    )
    docs = await tools.ask(request("/docs"))
    assert docs.headers[b"content-type"].startswith(b"text/html")
    assert b"http://" not in docs.body
    assert b"https://" not in docs.body
    assert orjson.loads((await tools.ask(request("/openapi.json"))).body)["info"]["title"] == "Banyan"
    assert (await tools.ask(request("/docs", method="POST"))).slug == "method-not-allowed"


async def test_whether_it_is_alive_and_what_it_runs_are_one_answer(tools: Tools) -> None:
    await tools.start(version="1.2.3", commit="0123456789ab")
    origin = {"service": "gateway", "version": "1.2.3", "commit": "0123456789ab"}
    assert orjson.loads((await tools.ask(request("/healthz"))).body) == {"status": "ok", "problems": [], **origin}


def test_durations_are_cumulative_histograms() -> None:
    registry = CollectorRegistry()
    metrics = Metrics(lambda: {"catalog": 2})
    registry.register(metrics)
    labels = {
        "http_route": "/api/catalog",
        "upstream": "catalog",
        "http_request_method": "GET",
        "http_response_status_code": "200",
    }
    for seconds in (0.0005, 0.02, 99.0):
        metrics.observe(("/api/catalog", "catalog", "GET", 200), seconds)
    name = "gateway_request_duration_seconds"
    assert registry.get_sample_value(f"{name}_bucket", {**labels, "le": "0.001"}) == 1
    assert registry.get_sample_value(f"{name}_bucket", {**labels, "le": "0.025"}) == 2
    assert registry.get_sample_value(f"{name}_bucket", {**labels, "le": "+Inf"}) == 3
    assert registry.get_sample_value(f"{name}_count", labels) == 3
    assert registry.get_sample_value("gateway_in_flight", {"upstream": "catalog"}) == 2


async def test_errors_are_logged_even_when_good_answers_are_not() -> None:
    written: list[str] = []
    origin = {"service": "gateway", "version": "1.2.3", "commit": "0123456789ab"}
    log = AccessLog(origin, 0.0, written.append)
    log.record(("/api/catalog", "catalog", "GET", 200), 0.001, "1" * 32, "127.0.0.1", b"/api/catalog/a", "")
    log.record(("/api/catalog", "catalog", "GET", 503), 0.001, "2" * 32, "127.0.0.1", b'/api/catalog/"b', "breaker")
    await log.stop()
    lines = [orjson.loads(line) for line in "".join(written).splitlines()]
    assert [(line["event"], line["status"], line["reason"], line["path"]) for line in lines] == [
        ("http.request", 503, "breaker", '/api/catalog/"b')
    ]
    assert lines[0]["trace_id"] == "2" * 32
    assert origin.items() <= lines[0].items()
