"""What goes through and what is set anew, as the upstream and the client see it."""

import re

from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from gateway.tracing import Tracer
from services.gateway.tests.fakes import Tools, answering, request


async def test_identity_headers_from_outside_never_arrive(tools: Tools) -> None:
    await tools.start()
    forged = [
        "X-Caller-Id: 0",
        "x-caller-roles: operator",
        "X-Caller-Anything: 1",
        "X-Forwarded-For: 10.0.0.1",
        "X-Forwarded-Proto: https",
        "X-Forwarded-User: root",
        "Forwarded: for=10.0.0.1",
        "X-Real-IP: 10.0.0.1",
        "X-Request-Deadline: 600000",
    ]
    await tools.ask(request("/api/catalog/books", *forged))
    seen = tools.upstream.received[0].headers
    assert not {b"x-caller-id", b"x-caller-roles", b"x-caller-anything"} & set(seen)
    assert not {b"forwarded", b"x-real-ip", b"x-forwarded-user"} & set(seen)
    assert seen[b"x-forwarded-for"] == b"127.0.0.1"
    assert seen[b"x-forwarded-proto"] == b"http"
    assert seen[b"x-forwarded-host"] == b"shop.test"
    assert 4000 < int(seen[b"x-request-deadline"]) <= 5000


async def test_the_caller_of_a_checked_token_is_named(tools: Tools) -> None:
    await tools.start()
    token = tools.issuer.token(sub="018f0000-0000-7000-8000-000000000001", roles=["operator", "customer"])
    await tools.ask(request("/api/orders", f"Authorization: Bearer {token}", "X-Caller-Id: forged"))
    seen = tools.upstream.received[0].headers
    assert seen[b"x-caller-id"] == b"018f0000-0000-7000-8000-000000000001"
    assert seen[b"x-caller-roles"] == b"customer,operator"
    assert seen[b"authorization"] == b"Bearer " + token.encode()


async def test_hop_by_hop_headers_end_here_in_both_directions(tools: Tools) -> None:
    tools.upstream.script = answering(
        b"HTTP/1.1 200 OK\r\nConnection: keep-alive, X-Private\r\nKeep-Alive: timeout=5\r\nX-Private: 1\r\n"
        b'ETag: "1"\r\nContent-Length: 2\r\n\r\n{}'
    )
    await tools.start()
    hop = ["Connection: keep-alive, X-Secret", "X-Secret: 1", "TE: trailers", "Proxy-Authorization: x", "X-Kept: 1"]
    answer = await tools.ask(request("/api/catalog/books", *hop))
    seen = tools.upstream.received[0].headers
    assert not {b"connection", b"x-secret", b"te", b"proxy-authorization"} & set(seen)
    assert seen[b"x-kept"] == b"1"
    assert not {b"connection", b"keep-alive", b"x-private"} & set(answer.headers)
    assert answer.headers[b"etag"] == b'"1"'


async def test_the_target_arrives_byte_for_byte(tools: Tools) -> None:
    await tools.start()
    target = "/api/catalog/caf%C3%A9;v=1/~a'b?q=x%20y&q=%2F..%2f|'&&c"
    await tools.ask(request(target))
    assert tools.upstream.received[0].line == f"GET {target} HTTP/1.1".encode()


async def test_cookies_pass_both_ways_also_where_there_are_several(tools: Tools) -> None:
    tools.upstream.script = answering(
        b"HTTP/1.1 302 FOUND\r\nLocation: /legacy/basket\r\nSet-Cookie: shopsession=a.b-c_d; Path=/legacy; HttpOnly\r\n"
        b"Vary: Cookie\r\nSet-Cookie: shopvisitor=1f; Path=/legacy\r\nContent-Length: 0\r\n\r\n"
    )
    await tools.start()
    cookies = ["Cookie: shopsession=x; shopvisitor=y", "Cookie: another=z"]
    wire = await tools.wire()
    wire.send(request("/legacy/basket", *cookies, "Connection: close", method="POST", body=b"id=12&qty=1"))
    raw = await wire.rest()
    sent = tools.upstream.received[0].head
    assert [line for line in sent.split(b"\r\n") if line.lower().startswith(b"cookie:")] == [
        b"cookie: shopsession=x; shopvisitor=y",
        b"cookie: another=z",
    ]
    assert raw.startswith(b"HTTP/1.1 302 ")
    assert [line for line in raw.split(b"\r\n") if line.startswith(b"set-cookie:")] == [
        b"set-cookie: shopsession=a.b-c_d; Path=/legacy; HttpOnly",
        b"set-cookie: shopvisitor=1f; Path=/legacy",
    ]
    assert b"\r\nlocation: /legacy/basket\r\n" in raw


async def test_an_address_of_the_old_shop_arrives_byte_for_byte(tools: Tools) -> None:
    await tools.start()
    targets = [
        "/legacy/",
        "/legacy/search?q=br%C3%B6nte+%25&start=20",
        "/legacy/search?q=a%2Fb&&q=",
        "/legacy/book/12?",
    ]
    for target in targets:
        await tools.ask(request(target))
    assert [seen.line for seen in tools.upstream.received] == [f"GET {target} HTTP/1.1".encode() for target in targets]


async def test_a_valid_trace_is_continued(tools: Tools) -> None:
    await tools.start()
    parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    await tools.ask(request("/api/catalog/books", f"traceparent: {parent}"))
    seen = tools.upstream.received[0].headers[b"traceparent"].decode()
    assert seen.startswith("00-0af7651916cd43dd8448eb211c80319c-")
    assert seen.endswith("-01")
    assert seen != parent


def test_an_invalid_trace_is_replaced_by_a_new_one() -> None:
    tracer = Tracer(recording=lambda: False)
    invalid = [
        None,
        b"",
        b"00-short-01",
        b"00-" + b"0" * 32 + b"-b7ad6b7169203331-01",
        b"00-0af7651916cd43dd8448eb211c80319c-" + b"0" * 16 + b"-01",
        b"00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
        b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\nx: y",
    ]
    traces = [tracer.begin(value) for value in invalid]
    assert len({trace.id for trace in traces}) == len(invalid)
    for trace in traces:
        assert re.fullmatch(rb"00-[0-9a-f]{32}-[0-9a-f]{16}-00", trace.traceparent)


def test_an_exported_trace_has_a_span_with_the_route() -> None:
    exporter = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracer = Tracer(recording=lambda: True, tracer=provider.get_tracer("test"))
    begun = tracer.begin(b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
    begun.end("GET", "/api/catalog", 200)
    (span,) = exporter.get_finished_spans()
    assert span.name == "GET /api/catalog"
    assert begun.id == "0af7651916cd43dd8448eb211c80319c"
    assert span.context is not None
    assert f"{span.context.span_id:016x}".encode() in begun.traceparent
    assert span.parent is not None
    assert f"{span.parent.span_id:016x}" == "b7ad6b7169203331"


async def test_a_problem_names_the_trace_that_went_on(tools: Tools) -> None:
    await tools.start()
    parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    answer = await tools.ask(request("/api/nothing", f"traceparent: {parent}"))
    assert answer.slug == "not-found"
    assert answer.problem["trace_id"] == "0af7651916cd43dd8448eb211c80319c"
    assert answer.problem["instance"] == "/api/nothing"
