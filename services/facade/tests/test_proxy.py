"""Who answers a customer, stage by stage; and that the old shop's answers come through to the byte."""

import asyncio

import pytest

from chassis.http_client import OutcomeUnknown
from facade.canary import VISITOR
from facade.domain import Side, Stage
from facade.legacy_http import LegacyRequest, LegacyResponse
from services.facade.tests.answers import DEAD
from services.facade.tests.proxies import CATALOG, OLD, ORDERS, Facade, FakeMirror
from services.facade.tests.wire import client_of, exchange, raw_shop, response, served

FAILED = LegacyResponse(500, (), b"traceback")


@pytest.mark.parametrize(
    ("stage", "percent", "body"),
    [
        (Stage.LEGACY, 0, "old"),
        (Stage.SHADOW, 0, "old"),
        (Stage.CANARY, 0, "old"),
        (Stage.CANARY, 100, "new"),
        (Stage.MODERN, 0, "new"),
        (Stage.RETIRED, 0, "new"),
    ],
)
async def test_the_stage_decides_who_answers(stage: Stage, percent: int, body: str) -> None:
    facade = Facade().at(stage, percent)
    assert (await facade.get()).text == body
    assert facade.tally.answers == [Side.LEGACY if body == "old" else Side.MODERN]


async def test_each_capability_has_a_stage_of_its_own() -> None:
    facade = Facade().at(Stage.MODERN)
    assert (await facade.get("/legacy/search")).text == "new"
    assert (await facade.get("/legacy/orders")).text == "old"


async def test_accounts_stay_until_both_capabilities_are_retired() -> None:
    facade = Facade().at(Stage.RETIRED).at(Stage.MODERN, capability=ORDERS)
    assert (await facade.get("/legacy/login")).text == "old"
    facade.at(Stage.RETIRED, capability=ORDERS)
    assert (await facade.get("/legacy/login")).text == "new"
    assert (await facade.get("/legacy/nothing")).text == "new"


async def test_retired_means_that_the_old_shop_is_never_called() -> None:
    facade = Facade().at(Stage.RETIRED).at(Stage.RETIRED, capability=ORDERS)
    facade.parking.side = Side.MODERN
    for path in ("/legacy", "/legacy/", "/legacy/basket", "/legacy/api/me", "/legacy/nothing"):
        await facade.get(path)
    await facade.ask("POST", "/legacy/api/orders", json={})
    assert facade.legacy.asked == []


async def test_a_write_goes_where_the_parking_says() -> None:
    facade = Facade()
    for turn in Side:
        facade.parking.side = turn
        assert (await facade.ask("POST", "/legacy/checkout")).text == ("old" if turn is Side.LEGACY else "new")
    assert facade.parking.inside == 0


async def test_the_basket_never_waits() -> None:
    facade = Facade()
    facade.parking.held = True
    assert (await facade.ask("POST", "/legacy/basket")).text == "old"


async def test_a_write_that_was_held_too_long_may_be_sent_again() -> None:
    facade = Facade()
    facade.parking.held = True
    answer = await facade.ask("POST", "/legacy/api/orders")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    assert facade.legacy.asked == []


async def test_a_write_without_an_answer_is_not_to_be_sent_again() -> None:
    facade = Facade()
    facade.legacy.gives = OutcomeUnknown("no answer")
    answer = await facade.ask("POST", "/legacy/api/orders")
    assert answer.status_code == 504
    assert answer.json()["type"] == "urn:banyan:problem:outcome-unknown"
    assert "retry-after" not in answer.headers


async def test_in_shadow_the_old_answer_is_handed_to_the_mirror() -> None:
    facade = Facade().at(Stage.SHADOW).at(Stage.SHADOW, capability=ORDERS)
    await facade.get("/legacy/book/12")
    await facade.ask("POST", "/legacy/api/orders")
    assert facade.mirror.offers == [
        (CATALOG, "/legacy/book/12", Side.LEGACY, b"old", False),
        (ORDERS, "/legacy/api/orders", Side.LEGACY, b"old", True),
    ]


async def test_the_mirror_knows_while_a_customer_is_being_served() -> None:
    facade = Facade()
    mirror, seen = facade.mirror, list[int]()
    assert isinstance(mirror, FakeMirror)

    def answer(_: LegacyRequest) -> LegacyResponse:
        seen.append(mirror.customers)
        return OLD

    facade.legacy.gives = answer
    await facade.get()
    assert (seen, mirror.customers) == ([1], 0)


async def test_the_mirror_gets_only_what_can_be_compared() -> None:
    facade = Facade().at(Stage.SHADOW).at(Stage.SHADOW, capability=ORDERS)
    await facade.ask("HEAD", "/legacy/")
    await facade.ask("POST", "/legacy/basket")
    await facade.get("/legacy/login")
    facade.at(Stage.MODERN).at(Stage.LEGACY, capability=ORDERS)
    await facade.get("/legacy/")
    await facade.get("/legacy/orders")
    assert facade.mirror.offers == []


async def test_a_canary_is_compared_whoever_has_answered() -> None:
    facade = Facade()
    await facade.at(Stage.CANARY, 100).get()
    await facade.at(Stage.CANARY, 0).get()
    assert [side for _, _, side, _, _ in facade.mirror.offers] == [Side.MODERN, Side.LEGACY]


@pytest.mark.parametrize("gives", [DEAD, FAILED, KeyError("price"), TimeoutError()])
async def test_what_a_canary_cannot_answer_the_old_shop_does(gives: LegacyResponse | Exception) -> None:
    facade = Facade().at(Stage.CANARY, 100)
    facade.modern.gives = gives
    answer = await facade.get()
    assert (answer.status_code, answer.text) == (200, "old")
    assert facade.budget.records == [True]
    assert (facade.tally.failures, facade.tally.answers) == ([Side.MODERN], [Side.LEGACY])
    assert facade.mirror.offers == []


async def test_a_canary_that_is_slow_leaves_time_for_the_old_shop() -> None:
    facade = Facade(canary_seconds=0.05).at(Stage.CANARY, 100)
    facade.modern.seconds = 10
    async with asyncio.timeout(2):
        assert (await facade.get()).text == "old"
    assert facade.budget.records == [True]


async def test_a_good_answer_of_a_canary_counts_too() -> None:
    facade = Facade().at(Stage.CANARY, 100)
    await facade.get()
    assert facade.budget.records == [False]


async def test_a_modern_side_that_fails_is_not_replaced_by_the_old_one() -> None:
    facade = Facade().at(Stage.MODERN)
    facade.modern.gives = FAILED
    assert (await facade.get()).status_code == 503
    assert facade.legacy.asked == []


async def test_a_visitor_of_a_canary_is_remembered() -> None:
    facade = Facade().at(Stage.CANARY, 50)
    answer = await facade.get()
    assert answer.cookies[VISITOR] == "v" * 22
    again = await facade.get(headers={"cookie": f"{VISITOR}={'v' * 22}"})
    assert "set-cookie" not in again.headers
    assert again.text == answer.text
    assert "set-cookie" not in (await facade.at(Stage.SHADOW).get()).headers


async def test_a_body_of_more_than_64_kib_is_refused() -> None:
    facade = Facade()
    answer = await facade.ask("POST", "/legacy/api/orders", content=b"x" * (64 * 1024 + 1))
    assert answer.status_code == 413
    assert facade.legacy.asked == []
    assert (await facade.ask("POST", "/legacy/api/orders", content=b"x" * (64 * 1024))).status_code == 200


async def test_the_old_shop_hears_from_where_a_request_came() -> None:
    facade = Facade()
    await facade.get(headers={"x-forwarded-for": "198.51.100.1"})
    sent = facade.legacy.asked[0]
    assert sent.header("x-forwarded-for") == "198.51.100.1, 192.0.2.7"
    assert sent.header("x-forwarded-host") == "shop.example"


async def test_a_head_of_the_new_side_has_a_length_and_no_body() -> None:
    facade = Facade().at(Stage.MODERN)
    answer = await facade.ask("HEAD", "/legacy/")
    assert (answer.content, answer.status_code) == (b"", 200)
    assert (await facade.get()).headers["content-length"] == "3"


BODIES = [
    response(b"\x00\xff<html>\r\n</html>" * 999, b"Content-Type: text/html", b"Server: waitress", b'ETag: "a"'),
    response(b'{"ok": 1}', b"Set-Cookie: a=1; Path=/legacy", b"Set-Cookie: b=2", b"Cache-Control: no-store"),
    response(b"", b"Location: /legacy/orders/7", status=b"302 FOUND"),
    response(b"gone", status=b"404 NOT FOUND"),
    response(b"bug", status=b"500 INTERNAL SERVER ERROR"),
    b'HTTP/1.1 304 NOT MODIFIED\r\nETag: "a"\r\n\r\n',
]


@pytest.mark.parametrize("sent", BODIES)
async def test_an_answer_passes_two_servers_to_the_byte(sent: bytes) -> None:
    async with raw_shop() as shop, client_of(shop) as client, served(Facade(legacy=client).app) as port:
        shop.answers = sent
        received = await exchange(port, b"GET /legacy/%62ook/1?q=%41 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert shop.head.startswith(b"GET /legacy/%62ook/1?q=%41 HTTP/1.1\r\n")
    assert _status(received) == _status(sent)
    assert _body(received) == _body(sent)
    # The server adds a date, and that it closes the connection, as it was asked to.
    assert sorted(each for each in _headers(received) if each[0] not in (b"date", b"connection")) == sorted(
        _headers(sent)
    )


async def test_an_answer_has_one_date() -> None:
    async with raw_shop() as shop, client_of(shop) as client, served(Facade(legacy=client).app) as port:
        shop.answers = response(b"", b"Date: Tue, 24 Nov 2026 16:05:33 GMT")
        received = await exchange(port, b"GET /legacy/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert [name for name, _ in _headers(received)].count(b"date") == 1


async def test_a_head_keeps_the_length_of_what_is_not_sent() -> None:
    async with raw_shop() as shop, client_of(shop) as client, served(Facade(legacy=client).app) as port:
        shop.answers = b"HTTP/1.1 200 OK\r\nContent-Length: 4711\r\n\r\n"
        received = await exchange(port, b"HEAD /legacy/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert (b"content-length", b"4711") in _headers(received)
    assert _body(received) == b""


def _status(raw: bytes) -> bytes:
    return raw.split(b" ", 2)[1]


def _headers(raw: bytes) -> list[tuple[bytes, bytes]]:
    lines = raw.partition(b"\r\n\r\n")[0].split(b"\r\n")[1:]
    return [(name.lower(), value.strip()) for name, _, value in (line.partition(b":") for line in lines)]


def _body(raw: bytes) -> bytes:
    return raw.partition(b"\r\n\r\n")[2]
