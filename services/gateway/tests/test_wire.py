"""What arrives on the socket: raw bytes to a gateway that runs, because no client library would send them."""

import asyncio

import pytest

from services.gateway.tests.fakes import Tools, answering, eventually, parse, request

HOST = b"Host: shop.test\r\n"


@pytest.mark.parametrize(
    "path",
    [
        "/api/catalog/../identity/keys",
        "/api/catalog/%2e%2e/identity/keys",
        "/api/catalog/%2E%2E/identity/keys",
        "/api//catalog/books",
        "/api/catalog%2fbooks",
        "/api/catalog/..%5cidentity",
        "/api/catalog\\books",
        "/api/catalog/%00",
        "/api/catalog/%0a",
    ],
)
async def test_a_path_with_two_readings_is_refused_before_routing(tools: Tools, path: str) -> None:
    await tools.start()
    answer = await tools.ask(request(path))
    assert (answer.status, answer.slug) == (400, "malformed-request")
    assert not tools.upstream.received


@pytest.mark.parametrize(
    "raw",
    [
        b"GET /api/catalog/books HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"GET /api/catalog/books HTTP/1.1\r\nAccept: */*\r\n\r\n",
        b"GET http://elsewhere/api/catalog/books HTTP/1.1\r\nHost: elsewhere\r\n\r\n",
        b"GET /api/catalog/\x00 HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /api/catalog/books HTTP/1.1\r\nHost: a\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n",
        b"GET /api/catalog/books HTTP/1.1\r\nHost: a\r\nX-A: 1\r\n folded: 2\r\n\r\n",
        b"GET /api/catalog/books HTTP/1.1\r\nHost : a\r\n\r\n",
        b"GET /api/catalog/books HTTP/1.1\r\nHost: a\r\nX-A: \x00\r\n\r\n",
        b"GET /api/catalog/books HTTP/3.0\r\nHost: a\r\n\r\n",
        b"nonsense\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    ],
)
async def test_a_malformed_request_is_refused_and_the_connection_closed(tools: Tools, raw: bytes) -> None:
    await tools.start()
    wire = await tools.wire()
    wire.send(raw)
    answer = parse(await wire.rest())
    assert (answer.status, answer.slug) == (400, "malformed-request")
    assert not tools.upstream.received


@pytest.mark.parametrize(
    "framing",
    [
        b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n",
        b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n",
        b"Content-Length: 4\r\nContent-Length: 40\r\n",
        b"Content-Length: 4, 40\r\n",
        b"Content-Length: +4\r\n",
        b"Transfer-Encoding: gzip\r\n",
        b"Transfer-Encoding: chunked, gzip\r\n",
        b"Transfer-Encoding: xchunked\r\n",
        b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        b"Transfer-Encoding : chunked\r\n",
    ],
)
async def test_a_request_framed_in_two_ways_smuggles_nothing(tools: Tools, framing: bytes) -> None:
    await tools.start()
    smuggled = b"GET /api/catalog/smuggled HTTP/1.1\r\nHost: a\r\n\r\n"
    wire = await tools.wire()
    wire.send(b"POST /api/catalog/books HTTP/1.1\r\n" + HOST + framing + b"\r\n0\r\n\r\n" + smuggled)
    raw = await wire.rest()
    assert parse(raw).status == 400
    assert raw.count(b"HTTP/1.1 ") == 1
    assert not tools.upstream.received


async def test_a_trailer_does_not_pass_for_a_header(tools: Tools) -> None:
    await tools.start()
    head = b"POST /api/identity/tokens HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n"
    answer = await tools.ask(head + b"2\r\n{}\r\n0\r\nX-Caller-Id: root\r\nIdempotency-Key: k\r\n\r\n")
    assert answer.status == 200
    assert b"x-caller-id" not in tools.upstream.received[0].headers
    assert b"idempotency-key" not in tools.upstream.received[0].headers
    assert tools.upstream.received[0].body == b"{}"


async def test_headers_beyond_the_limit_are_refused(tools: Tools) -> None:
    await tools.start(header_bytes=4096)
    answer = await tools.ask(request("/api/catalog/books", "X-Large: " + "a" * 5000))
    assert (answer.status, answer.slug) == (431, "header-too-large")


async def test_headers_without_an_end_are_refused_at_the_limit(tools: Tools) -> None:
    await tools.start(header_bytes=4096)
    wire = await tools.wire()
    wire.send(b"GET /api/catalog/books HTTP/1.1\r\n" + HOST)
    for number in range(200):
        wire.send(b"X-%d: %b\r\n" % (number, b"a" * 50))
    assert parse(await wire.rest()).status == 431


async def test_slow_headers_run_into_their_time_limit(tools: Tools) -> None:
    await tools.start(header_seconds=0.3)
    wire = await tools.wire()
    wire.send(b"GET /api/catalog/books HTTP/1.1\r\n")

    async def drip() -> None:
        while True:
            wire.send(b"X-A: b\r\n")
            await asyncio.sleep(0.05)

    dripping = asyncio.create_task(drip())
    answer = parse(await wire.rest())
    dripping.cancel()
    assert (answer.status, answer.slug) == (408, "request-timeout")


async def test_a_connection_that_sends_nothing_is_closed(tools: Tools) -> None:
    await tools.start(header_seconds=0.3)
    assert await (await tools.wire()).rest() == b""


async def test_a_slow_body_runs_into_its_time_limit(tools: Tools) -> None:
    await tools.start(body_seconds=0.3)
    wire = await tools.wire()
    wire.send(request("/api/identity/tokens", "Content-Length: 1000", method="POST") + b"{")
    answer = parse(await wire.rest())
    assert (answer.status, answer.slug) == (408, "request-timeout")
    assert not tools.upstream.received


async def test_many_slow_connections_do_not_keep_others_out(tools: Tools) -> None:
    await tools.start(header_seconds=1)
    for _ in range(200):
        (await tools.wire()).send(b"GET /api/catalog/books HTTP/1.1\r\n")
    assert (await tools.ask(request("/api/catalog/books"))).status == 200


async def test_slow_bodies_do_not_take_the_places_of_others(tools: Tools) -> None:
    await tools.start(max_in_flight=2)
    for _ in range(2):
        wire = await tools.wire()
        wire.send(request("/api/identity/tokens", "Content-Length: 9", "Expect: 100-continue", method="POST"))
        assert await wire.reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
    assert (await tools.ask(request("/api/catalog/books"))).status == 200


async def test_connections_beyond_the_limit_are_turned_away(tools: Tools) -> None:
    await tools.start(max_connections=2)
    for _ in range(2):
        assert (await tools.ask(request("/api/catalog/books"))).status == 200
    answer = parse(await (await tools.wire()).rest())
    assert answer.status == 503
    assert answer.headers[b"retry-after"] == b"1"


async def test_a_declared_body_beyond_the_limit_is_refused_unread(tools: Tools) -> None:
    await tools.start()
    answer = await tools.ask(request("/api/identity/tokens", "Content-Length: 10000000", method="POST"))
    assert (answer.status, answer.slug) == (413, "payload-too-large")
    assert not tools.upstream.received


async def test_a_body_of_undeclared_length_is_counted_as_it_arrives(tools: Tools) -> None:
    await tools.start()
    wire = await tools.wire()
    wire.send(request("/api/identity/tokens", "Transfer-Encoding: chunked", method="POST"))
    for _ in range(20):
        wire.send(b"2000\r\n" + b"a" * 0x2000 + b"\r\n")
    answer = parse(await wire.rest())
    assert (answer.status, answer.slug) == (413, "payload-too-large")
    assert not tools.upstream.received


async def test_a_client_that_expects_100_is_told_to_continue(tools: Tools) -> None:
    await tools.start()
    wire = await tools.wire()
    wire.send(request("/api/identity/tokens", "Expect: 100-continue", "Content-Length: 2", method="POST"))
    assert await wire.reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
    wire.send(b"{}")
    assert (await wire.answer()).status == 200
    assert tools.upstream.received[0].body == b"{}"


async def test_requests_sent_at_once_are_answered_in_order(tools: Tools) -> None:
    await tools.start()
    wire = await tools.wire()
    wire.send(b"".join(request(f"/api/catalog/{number}") for number in range(20)))
    for _ in range(20):
        assert (await wire.answer()).status == 200
    paths = [received.line.split()[1] for received in tools.upstream.received]
    assert paths == [b"/api/catalog/%d" % number for number in range(20)]


async def test_a_request_after_a_good_one_cannot_hide_a_bad_one(tools: Tools) -> None:
    await tools.start()
    wire = await tools.wire()
    wire.send(request("/api/catalog/1") + b"BAD\r\n\r\n" + request("/api/catalog/2"))
    await wire.rest()
    assert [received.line for received in tools.upstream.received] == [b"GET /api/catalog/1 HTTP/1.1"]


async def test_a_client_that_never_reads_is_cut_off(tools: Tools) -> None:
    body = b"a" * 60_000
    tools.upstream.script = answering(b"HTTP/1.1 200 OK\r\nContent-Length: 60000\r\n\r\n" + body)
    running = await tools.start(idle_seconds=0.3)
    wire = await tools.wire()
    wire.send(request("/api/catalog/books") * 400)
    await eventually(lambda: bool(running.server.connections))
    await eventually(lambda: not running.server.connections, 10)


async def test_http_1_0_is_answered_and_closed(tools: Tools) -> None:
    await tools.start()
    wire = await tools.wire()
    wire.send(b"GET /api/catalog/books HTTP/1.0\r\n\r\n")
    answer = parse(await wire.rest())
    assert (answer.status, answer.body) == (200, b"{}")


@pytest.mark.parametrize("method", ["TRACE", "CONNECT", "PROPFIND"])
async def test_other_methods_are_not_offered(tools: Tools, method: str) -> None:
    await tools.start()
    answer = await tools.ask(request("/api/catalog/books", method=method))
    assert answer.status in (400, 405)
    assert not tools.upstream.received
