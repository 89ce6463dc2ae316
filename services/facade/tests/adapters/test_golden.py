"""Each answer of the adapters is, to the byte, the one that the old shop gives to the same request."""

from base64 import b64encode
from typing import Any

import pytest

from facade.legacy_http import LegacyRequest
from services.facade.tests.adapters.both_shops import BothShops, body, cookie, form_type, session_of
from services.facade.tests.adapters.conftest import PASSWORD, SOLD_OUT

ANN = {"customer": 1, "email": "ann@example.com", "csrf": "c0ffee"}
WITH_BASKET = {**ANN, "basket": {"3": 2, "12": 1, "999999": 1}}
READS = [
    ("", ""),
    ("", "start=20"),
    ("", "start=300"),
    ("", "start=x"),
    ("search", "q=the"),
    ("search", "q=Fran%C3%A7ois"),
    ("search", "q=the&start=40"),
    ("search", "q=%25"),
    ("search", "q=%ff%3Cb%3E%22%27%26"),
    ("search", "q=a&q=b"),
    ("search", ""),
    ("search", "q=" + "x" * 150),
    ("book/3", ""),
    (f"book/{SOLD_OUT}", ""),
    ("book/0", ""),
    ("book/9999", ""),
    ("book/99999999999999999999", ""),
    ("book/%33", ""),
    ("book/x", ""),
    ("basket", ""),
    ("checkout", ""),
    ("orders", ""),
    ("orders/1", ""),
    ("login", ""),
    ("register", ""),
    ("logout", ""),
    ("nowhere", ""),
    ("health", ""),
    ("api/products", ""),
    ("api/products", "start=5&count=3"),
    ("api/products", "count=1000&start=200"),
    ("api/products", "count=0"),
    ("api/products", "start=316"),
    ("api/products", "q=Fran%C3%A7ois"),
    ("api/products", "q=nothing+like+it"),
    ("api/products", "start=-1&count=%2B3"),
    ("api/products/3", ""),
    (f"api/products/{SOLD_OUT}", ""),
    ("api/products/9999", ""),
    ("api/products/", ""),
    ("api/orders", ""),
    ("api/me", ""),
]


def basic(email: str = "ann@example.com", password: str = PASSWORD) -> tuple[str, str]:
    return ("Authorization", f"Basic {b64encode(f'{email}:{password}'.encode()).decode()}")


async def place(both: BothShops, sent: bytes, *headers: tuple[str, str]) -> Any:
    answer = await both.ask(LegacyRequest("POST", "/legacy/api/orders", headers=headers or (basic(),), body=sent))
    return body(answer)


@pytest.mark.parametrize("session", [None, {"csrf": "c0ffee"}, ANN, WITH_BASKET], ids=["new", "seen", "ann", "basket"])
async def test_reads_are_the_same(both: BothShops, session: dict[str, Any] | None) -> None:
    for path, query in READS:
        await both.get(path, query, session=session)


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "PUT", "DELETE"])
async def test_other_methods_are_the_same(both: BothShops, method: str) -> None:
    for path in ("/legacy/", "/legacy/api/products", "/legacy/api/orders", "/legacy/logout", "/legacy/book/3"):
        await both.ask(LegacyRequest(method, path))


async def test_an_order_that_is_paid_is_the_same(both: BothShops) -> None:
    placed = await place(both, b'{"items": [{"id": 12, "qty": 1}, {"id": 3, "qty": 2}], "card": "tok_ok"}')
    assert placed["order"]["created"] == "01.07.2026 00:05:33"
    assert both.noted.numbers == [placed["order"]["id"]]
    assert [item["id"] for item in placed["order"]["items"]] == [12, 3]


@pytest.mark.parametrize("card", ["tok_declined", "tok_nobodys", "4111 1111 1111 1111", "Ünfug"])
async def test_an_order_whose_card_is_refused_is_the_same(both: BothShops, card: str) -> None:
    placed = await place(both, f'{{"items": [{{"id": 3, "qty": 2}}], "card": "{card}"}}'.encode())
    assert (placed["error"], placed["order"]["status"]) == ("card declined", "X")


@pytest.mark.parametrize(
    "sent",
    [
        b'{"items": [{"id": 3, "qty": 1}, {"id": 999, "qty": 1}, {"id": 888, "qty": 1}], "card": "tok_ok"}',
        b'{"items": [{"id": 12, "qty": 1}, {"id": 5, "qty": 1}], "card": "tok_ok"}',
        b'{"items": [{"id": 3, "qty": 1}, {"id": 3, "qty": 1}], "card": "tok_ok"}',
        b'{"items": [{"id": true, "qty": 1}], "card": "tok_ok"}',
        b'{"items": [{"id": 3, "qty": 101}], "card": "tok_ok"}',
        b'{"items": [{"id": 99999999999999999999, "qty": 1}], "card": "tok_ok"}',
        b'{"items": [], "card": "tok_ok"}',
        b'{"items": [{"id": 3, "qty": 1}], "card": ""}',
        b'{"items": [{"id": 3, "qty": 1}]}',
        b"[1]",
        b"\xff",
        b"",
    ],
)
async def test_an_order_that_is_refused_is_the_same(both: BothShops, sent: bytes) -> None:
    assert (await place(both, sent))["ok"] == 0


@pytest.mark.parametrize(
    "header",
    [
        basic(password="wrong"),
        basic(email="nobody@example.com"),
        basic(email="", password=""),
        ("Authorization", "Basic !"),
        ("Authorization", "Bearer x"),
        ("Cookie", "shopsession=x"),
    ],
)
async def test_a_login_that_fails_is_the_same(both: BothShops, header: tuple[str, str]) -> None:
    assert (await place(both, b"", header))["error"] == "login failed"
    for path in ("api/orders", "api/orders/1", "api/me"):
        answer = await both.ask(LegacyRequest("GET", f"/legacy/{path}", headers=(header,)))
        assert body(answer) == {"ok": 0, "error": "login failed"}


async def test_orders_are_read_the_same(both: BothShops) -> None:
    for card in ("tok_ok", "tok_declined", "tok_ok"):
        await place(both, f'{{"items": [{{"id": 3, "qty": 2}}], "card": "{card}"}}'.encode())
    for path in ("api/orders", "api/orders/1", "api/orders/2", "api/orders/9", "api/orders/99999999999999999999"):
        await both.ask(LegacyRequest("GET", f"/legacy/{path}", headers=(basic(" ANN@example.com "),)))
        await both.ask(LegacyRequest("GET", f"/legacy/{path}", headers=(basic("bob@example.com"),)))
    for path in ("orders", "orders/1", "orders/2", "orders/9"):
        await both.get(path, session=ANN)
        await both.get(path, session={**ANN, "customer": 2})


async def test_a_basket_is_filled_changed_and_emptied_the_same(both: BothShops) -> None:
    session: dict[str, Any] = {"csrf": "c0ffee"}
    for book, quantity in ((3, 2), (12, "1"), (3, 0), (7, 100), (7, 101), (7, "x"), (7, ""), (999, 1), ("", 1)):
        answer = await both.post("basket", session, id=book, qty=quantity)
        if answer.status == 302:
            session = session_of(answer)
            await both.get("basket", session=session)
    assert session["basket"] == {"12": 1, "7": 100}


async def test_a_basket_that_is_full_is_the_same(both: BothShops) -> None:
    full = {"csrf": "c0ffee", "basket": {str(number): 1 for number in range(1, 21)}}
    assert b"the basket is full" in (await both.post("basket", full, id=21, qty=1)).body


async def test_a_purchase_is_the_same(both: BothShops) -> None:
    bought = await both.post("checkout", {**ANN, "basket": {"12": 1, "3": 2}}, card="tok_ok")
    assert bought.header("location") == "/legacy/orders/1"
    assert session_of(bought) == ANN
    await both.get("orders/1", session=ANN)


@pytest.mark.parametrize(
    ("basket", "card"),
    [
        ({"3": 1}, "tok_declined"),
        ({"3": 1}, ""),
        ({"5": 1, "3": 1}, "tok_ok"),
        ({"3": 1, "999": 1}, "tok_ok"),
        ({}, ""),
    ],
)
async def test_a_purchase_that_is_refused_is_the_same(both: BothShops, basket: dict[str, int], card: str) -> None:
    await both.post("checkout", {**ANN, "basket": basket}, card=card)


@pytest.mark.parametrize("path", ["basket", "checkout", "login", "register", "logout"])
async def test_a_form_of_somebody_else_is_refused_the_same(both: BothShops, path: str) -> None:
    for session in (ANN, {}):
        for sent in (b"", b"csrf=", b"csrf=wrong", b"csrf=%ff", b"\xff", b"x" * 70_000):
            await both.ask(LegacyRequest("POST", f"/legacy/{path}", headers=(*cookie(session), form_type()), body=sent))
        await both.ask(LegacyRequest("POST", f"/legacy/{path}", headers=cookie(session), body=b"csrf=c0ffee"))


async def test_accounts_are_the_same(both: BothShops) -> None:
    seen = {"csrf": "c0ffee"}
    await both.post("login", seen, email="Ann@example.com ", password=PASSWORD)
    await both.post("login", {**seen, "basket": {"3": 1}}, email="ann@example.com", password=PASSWORD)
    await both.post("login", seen, email="ann@example.com<", password="wrong password")
    await both.post("register", seen, email="nonsense", name="<b>", password=PASSWORD)
    await both.post("register", seen, email="", name="", password="")
    new = await both.post("register", seen, email="Cid@example.com", name=" Cid ", password=PASSWORD)
    assert session_of(new) == {**seen, "customer": 3, "email": "cid@example.com"}
    await both.post("register", seen, email="ann@example.com", name="Ann", password=PASSWORD)
    gone = await both.post("logout", {**ANN, "basket": {"3": 1}})
    assert session_of(gone) == {}


async def test_partners_register_and_look_at_themselves_the_same(both: BothShops) -> None:
    me = await both.ask(LegacyRequest("GET", "/legacy/api/me", headers=(basic(),)))
    assert body(me) == {"ok": 1, "customer": {"id": 1, "email": "ann@example.com", "name": "Ann"}}
    for sent in (
        b'{"email": "D\\u00e9@example.com", "name": "D", "password": "correct horse"}',
        b'{"email": "dee@example.com", "name": "D\\u00e9e", "password": "correct horse"}',
        b'{"email": "dee@example.com", "name": "Dee", "password": "correct horse"}',
        b'{"email": "eve@example.com", "name": "", "password": "correct horse"}',
        b'{"email": "eve@example.com", "name": 1, "password": "correct horse"}',
        b"{",
    ):
        await both.ask(LegacyRequest("POST", "/legacy/api/register", body=sent))


async def test_both_take_over_a_session_that_the_other_one_began(both: BothShops) -> None:
    for first, second in ((both.old, both.new), (both.new, both.old)):
        page = await first.answer(LegacyRequest("GET", "/legacy/book/3"))
        cookies = (("Cookie", (page.header("set-cookie") or "").partition(";")[0]),)
        token = session_of(page)["csrf"]
        sent = f"csrf={token}&id=3&qty=2".encode()
        answer = await second.answer(LegacyRequest("POST", "/legacy/basket", "", (*cookies, form_type()), sent))
        assert answer.status == 302
        assert session_of(answer) == {"csrf": token, "basket": {"3": 2}}


async def test_the_address_without_its_slash_leads_to_the_door(both: BothShops) -> None:
    request = LegacyRequest("GET", "/legacy")
    theirs, ours = await both.old.answer(request), await both.new.answer(request)
    assert (theirs.status, ours.status) == (308, 308)
    assert (theirs.header("location"), ours.header("location")) == ("http://localhost/legacy/", "/legacy/")
