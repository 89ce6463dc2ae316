"""What goes to the old shop is what came, and what comes back is what it said."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from chassis.http_client import OutcomeUnknown
from facade.legacy_http import LegacyRequest
from facade.ports import CannotAnswer
from services.facade.tests.wire import RawShop, client_of, raw_shop, response

GET = LegacyRequest("GET", "/legacy/")
POST = LegacyRequest("POST", "/legacy/checkout", body=b"card=tok_ok")


@pytest.fixture
async def shop() -> AsyncIterator[RawShop]:
    async with raw_shop() as shop:
        yield shop


async def test_an_answer_comes_back_to_the_byte(shop: RawShop) -> None:
    body = bytes(range(256)) * 40
    shop.answers = response(
        body,
        b"X-Odd: a,  b",
        b"Set-Cookie: shopsession=.eJx_1; Path=/legacy; HttpOnly",
        b"Set-Cookie: other=2",
        b"Content-Encoding: gzip",
        status=b"202 Odd",
    )
    async with client_of(shop) as client:
        answer = await client.answer(GET)
    assert (answer.status, answer.body) == (202, body)
    assert answer.headers == (
        ("X-Odd", "a,  b"),
        ("Set-Cookie", "shopsession=.eJx_1; Path=/legacy; HttpOnly"),
        ("Set-Cookie", "other=2"),
        ("Content-Encoding", "gzip"),
        ("Content-Length", "10240"),
    )


async def test_headers_of_the_connection_stay_behind(shop: RawShop) -> None:
    shop.answers = response(
        b"x", b"Connection: Keep-Alive, X-Private", b"Keep-Alive: timeout=5", b"X-Private: 1", b"Age: 1"
    )
    async with client_of(shop) as client:
        answer = await client.answer(GET)
    assert answer.headers == (("Age", "1"), ("Content-Length", "1"))


async def test_an_answer_in_chunks_gets_a_length(shop: RawShop) -> None:
    shop.answers = response(b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", b"Transfer-Encoding: chunked", length=False)
    async with client_of(shop) as client:
        answer = await client.answer(GET)
    assert (answer.body, answer.headers) == (b"abcde", (("Content-Length", "5"),))


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("/legacy/%62ook/12", ""),
        ("/legacy/a/%2e%2e/%2E./b", "q=a+b%20c&q=%c3%A9&start=&&x"),
        ("/legacy//x/../y", "q=%"),
        ("/legacy/search", "q='\"|^`{}"),
    ],
)
async def test_an_address_goes_through_as_it_was_sent(shop: RawShop, path: str, query: str) -> None:
    shop.answers = response(b"")
    async with client_of(shop) as client:
        await client.answer(LegacyRequest("GET", path, query))
    sent = f"{path}?{query}" if query else path
    assert shop.head.startswith(f"GET {sent} HTTP/1.1\r\n".encode())


async def test_a_request_goes_through_without_an_addition(shop: RawShop) -> None:
    shop.answers = response(b"")
    headers = (
        ("host", "shop.example"),
        ("cookie", "a=1; shopsession=x"),
        ("authorization", "Basic YTpi"),
        ("connection", "close, x-hop"),
        ("x-hop", "1"),
        ("transfer-encoding", "chunked"),
        ("x-request-deadline", "5000"),
        ("x-forwarded-for", "192.0.2.1, 192.0.2.2"),
        ("x-twice", "1"),
        ("x-twice", "2"),
    )
    async with client_of(shop) as client:
        await client.answer(LegacyRequest("POST", "/legacy/basket", headers=headers, body=b"id=12&qty=1"))
    lines = set(shop.head.decode().lower().split("\r\n")[1:-2])
    assert {line for line in lines if not line.startswith("traceparent")} == {
        f"host: 127.0.0.1:{shop.port}",
        "cookie: a=1; shopsession=x",
        "authorization: basic ytpi",
        "x-forwarded-for: 192.0.2.1, 192.0.2.2",
        "x-twice: 1",
        "x-twice: 2",
        "content-length: 11",
    }
    assert shop.requests[-1][1] == b"id=12&qty=1"


async def test_the_cookie_of_one_customer_is_not_sent_for_the_next(shop: RawShop) -> None:
    shop.answers = response(b"", b"Set-Cookie: shopsession=ann; Path=/")
    # By name: for an address of digits even a jar would keep nothing.
    async with client_of(shop, host="localhost") as client:
        for _ in range(2):
            await client.answer(GET)
    assert b"ann" not in shop.head


async def test_connections_are_used_again(shop: RawShop) -> None:
    shop.answers = response(b"ok")
    async with client_of(shop) as client:
        for _ in range(5):
            await client.answer(GET)
    assert shop.connections == 1


async def test_no_more_connections_are_made_than_allowed(shop: RawShop) -> None:
    shop.answers = response(b"ok")
    async with client_of(shop, connections=2) as client:
        await asyncio.gather(*(client.answer(GET) for _ in range(20)))
    assert shop.connections == 2


async def test_a_read_that_takes_too_long_has_no_answer(shop: RawShop) -> None:
    shop.gate.clear()
    async with client_of(shop, seconds=0.1) as client:
        with pytest.raises(CannotAnswer):
            await client.answer(GET)


async def test_a_write_that_takes_too_long_may_have_been_done(shop: RawShop) -> None:
    shop.gate.clear()
    async with client_of(shop, seconds=0.1) as client:
        with pytest.raises(OutcomeUnknown):
            await client.answer(POST)


async def test_a_write_that_found_no_connection_was_not_done(shop: RawShop) -> None:
    shop.gate.clear()
    async with client_of(shop, seconds=0.4, connections=1) as client:
        first = asyncio.create_task(client.answer(POST))
        await asyncio.sleep(0.05)
        with pytest.raises(CannotAnswer):
            await client.answer(POST)
        with pytest.raises(OutcomeUnknown):
            await first
    assert len(shop.requests) == 1


async def test_nobody_there_is_no_answer() -> None:
    async with client_of(RawShop(port=1)) as client:
        with pytest.raises(CannotAnswer):
            await client.answer(POST)


async def test_an_answer_without_end_is_cut_off(shop: RawShop) -> None:
    shop.answers = response(b"x" * (5 * 1024 * 1024))
    async with client_of(shop) as client:
        with pytest.raises(CannotAnswer):
            await client.answer(GET)
