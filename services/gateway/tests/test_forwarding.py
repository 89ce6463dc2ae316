"""Forwarding under fault: streams, time limits, retries, breaker, bulkhead, shedding."""

import asyncio
from dataclasses import replace

import pytest

from gateway.routes import Access, Rate, Retry, Route
from services.gateway.tests.fakes import OK, Received, Tools, Upstream, answering, eventually, parse, request

UNAVAILABLE = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"
OPEN = Route("/api/open", "catalog", 2, Access.PUBLIC, Access.PUBLIC, Retry.KEYED, Rate.READ, 64 * 1024 * 1024)
BOOKS = request("/api/catalog/books")


def quick(seconds: float) -> list[Route]:
    return [replace(OPEN, seconds=seconds)]


class Gate:
    """An upstream that holds its answers until the test opens it."""

    def __init__(self) -> None:
        self.open = asyncio.Event()

    async def __call__(
        self, _: Upstream, __: Received, ___: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        await self.open.wait()
        writer.write(OK)


async def hang_up(_: Upstream, __: Received, ___: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.close()


# Streams.


async def test_a_large_answer_arrives_whole(tools: Tools) -> None:
    body = bytes(range(256)) * 20_000
    tools.upstream.script = answering(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
    await tools.start()
    answer = await tools.ask(BOOKS)
    assert answer.body == body


async def test_an_answer_without_length_is_chunked_to_the_client(tools: Tools) -> None:
    tools.upstream.script = answering(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"3e8\r\n" + b"a" * 1000 + b"\r\n0\r\n\r\n"
    )
    await tools.start()
    answer = await tools.ask(BOOKS)
    assert answer.body == b"a" * 1000


async def test_the_first_piece_arrives_before_the_last_is_sent(tools: Tools) -> None:
    go_on = asyncio.Event()

    async def two_pieces(_: Upstream, __: Received, ___: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n")
        await go_on.wait()
        writer.write(b"4\r\nlast\r\n0\r\n\r\n")

    tools.upstream.script = two_pieces
    await tools.start()
    wire = await tools.wire()
    wire.send(BOOKS)
    assert (await wire.reader.readuntil(b"first\r\n")).startswith(b"HTTP/1.1 200")
    go_on.set()
    assert await wire.reader.readuntil(b"0\r\n\r\n") == b"4\r\nlast\r\n0\r\n\r\n"


async def test_a_slow_reader_slows_the_upstream_instead_of_filling_memory(tools: Tools) -> None:
    sent = 0

    async def endless(_: Upstream, __: Received, ___: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
        while True:
            writer.write(b"a" * 65536)
            await writer.drain()
            sent += 65536

    tools.upstream.script = endless
    await tools.start(quick(30))
    (await tools.wire()).send(request("/api/open"))
    await eventually(lambda: sent > 0)
    seen = -1
    while sent != seen:  # until nothing moves any more
        seen = sent
        await asyncio.sleep(0.2)
    assert sent < 32 * 1024 * 1024


async def test_a_large_upload_streams_through(tools: Tools) -> None:
    arrived = asyncio.Queue[int]()

    async def count(_: Upstream, seen: Received, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        total = int(seen.headers[b"content-length"])
        while total:
            piece = await reader.read(min(65536, total))
            total -= len(piece)
            arrived.put_nowait(len(piece))
        writer.write(OK)

    tools.upstream.script, tools.upstream.reads_bodies = count, False
    await tools.start([OPEN])
    wire = await tools.wire()
    wire.send(request("/api/open", f"Content-Length: {8 * 1024 * 1024}", method="POST") + b"a" * 1024 * 1024)
    async with asyncio.timeout(2):
        assert await arrived.get() > 0  # the rest has not been sent yet
    wire.send(b"a" * 7 * 1024 * 1024)
    assert (await wire.answer()).status == 200


async def test_a_streamed_upload_beyond_the_limit_is_cut_with_413(tools: Tools) -> None:
    async def swallow(_: Upstream, __: Received, reader: asyncio.StreamReader, ___: asyncio.StreamWriter) -> None:
        while await reader.read(65536):
            pass

    tools.upstream.script, tools.upstream.reads_bodies = swallow, False
    await tools.start([replace(OPEN, body_limit=1024 * 1024)])
    wire = await tools.wire()
    wire.send(request("/api/open", "Transfer-Encoding: chunked", method="POST"))
    for _ in range(40):
        wire.send(b"10000\r\n" + b"a" * 0x10000 + b"\r\n")
    assert parse(await wire.rest()).slug == "payload-too-large"


async def test_an_early_answer_ends_a_streamed_upload(tools: Tools) -> None:
    tools.upstream.script = answering(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
    tools.upstream.reads_bodies = False
    await tools.start([OPEN])
    wire = await tools.wire()
    wire.send(request("/api/open", "Content-Length: 50000000", method="POST") + b"a" * 200_000)
    assert parse(await wire.rest()).status == 403


async def test_an_answer_that_breaks_off_is_cut_for_the_client_too(tools: Tools) -> None:
    async def half(_: Upstream, __: Received, ___: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n")
        await writer.drain()
        writer.close()

    tools.upstream.script = half
    await tools.start()
    wire = await tools.wire()
    wire.send(BOOKS)
    with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
        await wire.reader.readuntil(b"0\r\n\r\n")


@pytest.mark.parametrize(
    ("method", "answer", "status"),
    [
        ("HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 450\r\n\r\n", 200),
        ("GET", b'HTTP/1.1 304 Not Modified\r\nETag: "1"\r\n\r\n', 304),
        ("GET", b"HTTP/1.1 204 No Content\r\n\r\n", 204),
    ],
)
async def test_answers_without_a_body_leave_the_connections_usable(
    tools: Tools, method: str, answer: bytes, status: int
) -> None:
    tools.upstream.script = answering(answer, OK)
    await tools.start()
    wire = await tools.wire()
    wire.send(request("/api/catalog/books", method=method))
    head = await wire.reader.readuntil(b"\r\n\r\n")
    assert parse(head).status == status
    assert (b"content-length: 450" in head) == (method == "HEAD")
    wire.send(BOOKS)
    assert (await wire.answer()).body == b"{}"
    assert tools.upstream.connections == 1


async def test_connections_to_the_upstream_are_reused(tools: Tools) -> None:
    await tools.start()
    for _ in range(5):
        await tools.ask(BOOKS)
    assert tools.upstream.connections == 1


async def test_a_client_that_goes_away_ends_the_call_to_the_upstream(tools: Tools) -> None:
    ended = asyncio.Event()

    async def wait(_: Upstream, __: Received, reader: asyncio.StreamReader, ___: asyncio.StreamWriter) -> None:
        await reader.read(1)
        ended.set()

    tools.upstream.script = wait
    await tools.start(quick(30))
    wire = await tools.wire()
    wire.send(request("/api/open"))
    await eventually(lambda: bool(tools.upstream.received))
    wire.writer.close()
    async with asyncio.timeout(2):
        await ended.wait()


async def test_a_client_that_goes_away_in_mid_answer_ends_it_at_the_upstream(tools: Tools) -> None:
    ended = asyncio.Event()

    async def endless(_: Upstream, __: Received, ___: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
        try:
            while not writer.is_closing():
                writer.write(b"a" * 65536)
                await writer.drain()
                await asyncio.sleep(0.001)
        finally:
            ended.set()

    tools.upstream.script = endless
    running = await tools.start(quick(30))
    wire = await tools.wire()
    wire.send(request("/api/open"))
    await wire.reader.readexactly(200_000)
    wire.writer.transport.abort()
    async with asyncio.timeout(3):
        await ended.wait()
    await eventually(lambda: running.metric("gateway_in_flight", upstream="catalog") == 0)


# Deadline.


async def test_an_upstream_that_is_too_slow_is_given_up(tools: Tools) -> None:
    tools.upstream.script = Gate()
    await tools.start(quick(0.2))
    answer = await tools.ask(request("/api/open"))
    assert (answer.status, answer.slug) == (504, "deadline-exceeded")


async def test_an_answer_in_drips_is_bounded_as_a_whole(tools: Tools) -> None:
    async def drip(_: Upstream, __: Received, ___: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        while not writer.is_closing():
            writer.write(b"a")
            await asyncio.sleep(0.02)

    tools.upstream.script = drip
    await tools.start(quick(0.3))
    wire = await tools.wire()
    wire.send(request("/api/open"))
    try:
        raw = await wire.rest(2)
    except ConnectionError:
        return
    assert len(raw) < 1000


# Retries.


async def test_a_read_is_repeated_until_it_succeeds(tools: Tools) -> None:
    tools.upstream.script = answering(UNAVAILABLE, UNAVAILABLE, OK)
    running = await tools.start([OPEN])
    assert (await tools.ask(request("/api/open"))).status == 200
    assert running.metric("gateway_retries_total", upstream="catalog") == 2


async def test_a_write_is_repeated_only_with_an_idempotency_key(tools: Tools) -> None:
    tools.upstream.script = answering(UNAVAILABLE, OK)
    await tools.start([OPEN])
    assert (await tools.ask(request("/api/open", method="POST", body=b"{}"))).status == 503
    tools.upstream.script = answering(UNAVAILABLE, OK)
    keyed = request("/api/open", "Idempotency-Key: k", method="POST", body=b'{"a":1}')
    assert (await tools.ask(keyed)).status == 200
    assert [seen.body for seen in tools.upstream.received[-2:]] == [b'{"a":1}'] * 2


async def test_a_connection_that_was_closed_is_tried_again_for_a_read_alone(tools: Tools) -> None:
    tools.upstream.script = hang_up
    await tools.start([OPEN])
    await tools.ask(request("/api/open"))
    assert len(tools.upstream.received) == 3
    answer = await tools.ask(request("/api/open", method="POST", body=b"{}"))
    assert (answer.status, answer.slug) == (503, "upstream-unavailable")
    assert len(tools.upstream.received) == 4


async def test_retries_stay_within_their_budget(tools: Tools) -> None:
    running = await tools.start([OPEN])
    # Four good answers to each bad one keep the breaker closed, so that only the budget limits.
    for _ in range(8):
        tools.upstream.script = answering(UNAVAILABLE)
        await tools.ask(request("/api/open"))
        tools.upstream.script = answering(OK)
        for _ in range(4):
            assert (await tools.ask(request("/api/open"))).status == 200
    assert 8 <= running.metric("gateway_retries_total", upstream="catalog") <= 3 + 0.2 * 40


async def test_the_upstreams_wish_for_a_pause_is_obeyed_within_the_deadline(tools: Tools) -> None:
    busy = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: %d\r\nContent-Length: 0\r\n\r\n"
    tools.upstream.script = answering(busy % 1, OK)
    await tools.start([OPEN])
    started = asyncio.get_running_loop().time()
    assert (await tools.ask(request("/api/open"))).status == 200
    assert asyncio.get_running_loop().time() - started >= 1
    tools.upstream.script = answering(busy % 30, OK)
    answer = await tools.ask(request("/api/open"))
    assert answer.status == 503
    assert answer.headers[b"retry-after"] == b"30"


async def test_an_upstream_that_is_absent_is_a_problem_and_not_a_crash(tools: Tools) -> None:
    await tools.start(upstream_catalog="http://127.0.0.1:1")
    answer = await tools.ask(BOOKS)
    assert (answer.status, answer.slug) == (503, "upstream-unavailable")
    assert answer.headers[b"retry-after"] == b"1"
    inventory = await tools.ask(request("/api/inventory/stock/1"))
    assert inventory.status == 200


# Breaker, bulkhead, shedding.


async def test_an_open_breaker_spares_the_upstream(tools: Tools) -> None:
    tools.upstream.script = answering(b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n")
    running = await tools.start([OPEN])
    for _ in range(10):
        await tools.ask(request("/api/open"))
    assert len(tools.upstream.received) == 5
    answer = await tools.ask(request("/api/open"))
    assert (answer.status, answer.slug) == (503, "upstream-unavailable")
    assert int(answer.headers[b"retry-after"]) >= 1
    assert running.metric("gateway_refusals_total", reason="breaker") >= 1


async def test_failing_writes_do_not_stop_reads(tools: Tools) -> None:
    tools.upstream.script = answering(b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n")
    await tools.start([OPEN])
    for _ in range(6):
        await tools.ask(request("/api/open", method="POST", body=b"{}"))
    tools.upstream.script = answering(OK)
    assert (await tools.ask(request("/api/open"))).status == 200
    assert (await tools.ask(request("/api/open", method="POST", body=b"{}"))).status == 503


async def test_one_slow_upstream_cannot_take_the_places_of_the_others(tools: Tools) -> None:
    gate = Gate()
    tools.upstream.script = gate
    running = await tools.start(max_in_flight_upstream=3)
    waiting = [await tools.wire() for _ in range(3)]
    for wire in waiting:
        wire.send(BOOKS)
    await eventually(lambda: len(tools.upstream.received) == 3)
    refused = await tools.ask(BOOKS)
    assert (refused.status, refused.slug) == (503, "upstream-unavailable")
    assert refused.headers[b"retry-after"] == b"1"
    assert running.metric("gateway_refusals_total", reason="bulkhead") == 1
    gate.open.set()
    assert (await tools.ask(request("/api/inventory/stock/1"))).status == 200
    assert [(await wire.answer()).status for wire in waiting] == [200] * 3
    assert (await tools.ask(BOOKS)).status == 200


async def test_beyond_the_ceiling_requests_are_shed_and_probes_answered(tools: Tools) -> None:
    gate = Gate()
    tools.upstream.script = gate
    running = await tools.start(max_in_flight=2)
    for path in ("/api/catalog/books", "/api/inventory/stock/1"):
        (await tools.wire()).send(request(path))
    await eventually(lambda: len(tools.upstream.received) == 2)
    shed = await tools.ask(BOOKS)
    assert (shed.status, shed.headers[b"retry-after"]) == (503, b"1")
    assert running.metric("gateway_refusals_total", reason="overload") == 1
    assert (await tools.ask(request("/readyz"))).status == 200
    gate.open.set()
