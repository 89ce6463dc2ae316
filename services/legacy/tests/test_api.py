"""The JSON API, to the byte: partners have programs that read it."""

import hashlib
import json
import re
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from flask import Flask

from legacy.db import Pool
from services.legacy.tests.fakes import API_KEY, PASSWORD, CardCompany, Partner, rows, stock

BAD_REQUEST = {"ok": 0, "error": "bad request"}


def test_a_product_is_given_to_the_byte(app: Flask) -> None:
    answer = app.test_client().get("/legacy/api/products/3")
    assert answer.data == (
        b'{"ok": 1, "product": {"id": 3, "isbn": "9799001000034", "title": "Gargantua and Pantagruel", '
        b'"author": "Fran\\u00e7ois Rabelais", "year": 1532, "price": "35.99", "avail": "Y"}}'
    )


def test_an_unknown_product_is_an_answer_like_any_other(partner: Partner) -> None:
    assert partner.get("products/99999") == {"ok": 0, "error": "no such product"}
    assert partner.get("products/99999999999999999999") == {"ok": 0, "error": "no such product"}


def test_the_whole_list_is_read_page_by_page(partner: Partner) -> None:
    ids: list[int] = []
    start: int | None = 0
    while start is not None:
        page = partner.get("products", start=str(start), count="100")
        ids += [product["id"] for product in page["products"]]
        start = page["next"]
    assert ids == list(range(1, 318))


def test_the_last_page_has_no_next_even_when_it_is_full(partner: Partner) -> None:
    page = partner.get("products", start="297", count="20")
    assert [len(page["products"]), page["next"]] == [20, None]


@pytest.mark.parametrize(("count", "given"), [("0", 1), ("1000", 100), ("-3", 20), ("many", 20), ("", 20)])
def test_a_count_that_is_none_is_put_right(partner: Partner, count: str, given: int) -> None:
    assert len(partner.get("products", count=count)["products"]) == given


def test_a_search_finds_parts_of_titles_and_authors_in_any_case(partner: Partner) -> None:
    found = partner.get("products", q="dickens", count="100")["products"]
    assert found
    assert {product["author"] for product in found} == {"Charles Dickens"}
    assert partner.get("products", q="FOLLY")["products"][0]["title"] == "The Praise of Folly"


@pytest.mark.parametrize("words", ["%", "_", "\\", "100%"])
def test_a_search_takes_wildcards_for_what_they_are(partner: Partner, words: str) -> None:
    assert partner.get("products", q=words) == {"ok": 1, "products": [], "next": None}


def test_a_search_survives_what_nobody_can_have_typed(partner: Partner) -> None:
    assert partner.get("products", q="ut\x00opia")["products"][0]["title"] == "Utopia"


def test_an_order_is_charged_stored_and_taken_off_the_shelves(
    partner: Partner, pool: Pool, card_company: CardCompany
) -> None:
    partner.register()
    before = stock(pool, 12), stock(pool, 2)
    answer = partner.order((12, 2), (2, 1))
    created = answer["order"].pop("created")
    twelve, two = (partner.get(f"products/{number}")["product"] for number in (12, 2))
    total = f"{2 * float(twelve['price']) + float(two['price']):.2f}"
    assert answer == {
        "ok": 1,
        "order": {
            "id": 1,
            "status": "P",
            "total": total,
            "items": [
                {"id": 12, "title": twelve["title"], "qty": 2, "price": twelve["price"]},
                {"id": 2, "title": two["title"], "qty": 1, "price": two["price"]},
            ],
        },
    }
    assert re.fullmatch(r"\d\d\.\d\d\.\d{4} \d\d:\d\d:\d\d", created)
    assert (stock(pool, 12), stock(pool, 2)) == (before[0] - 2, before[1] - 1)
    assert card_company.asked == [
        {
            "path": "/v1/charges",
            "key": "legacy-1",
            "bearer": f"Bearer {API_KEY}",
            "amount": round(float(total) * 100),
            "currency": "EUR",
            "card_token": "tok_ok",
        }
    ]
    (charge,) = rows(pool, "SELECT order_id, amount::text, reference FROM charges")
    assert charge == {"order_id": 1, "amount": total, "reference": "ref-legacy-1"}


def test_the_keys_of_an_order_stand_in_their_old_order(partner: Partner) -> None:
    partner.register()
    order = partner.order((12, 1))["order"]
    assert list(order) == ["id", "status", "total", "created", "items"]
    assert list(order["items"][0]) == ["id", "title", "qty", "price"]


def test_an_order_has_the_time_on_the_wall_in_berlin(partner: Partner) -> None:
    partner.register()
    created = datetime.strptime(partner.order((12, 1))["order"]["created"], "%d.%m.%Y %H:%M:%S")  # noqa: DTZ007
    berlin = datetime.now(ZoneInfo("Europe/Berlin")).replace(tzinfo=None)
    assert timedelta(0) <= berlin - created < timedelta(seconds=30)


@pytest.mark.parametrize("card", ["tok_declined", "tok_nobody_knows"])
def test_a_declined_card_leaves_a_refused_order_and_full_shelves(partner: Partner, pool: Pool, card: str) -> None:
    partner.register()
    before = stock(pool, 12)
    answer = partner.order((12, 2), card=card)
    assert list(answer) == ["ok", "error", "order"]
    assert (answer["ok"], answer["error"], answer["order"]["status"]) == (0, "card declined", "X")
    assert partner.get("orders")["orders"] == [answer["order"]]
    assert stock(pool, 12) == before
    assert rows(pool, "SELECT 1 FROM charges") == []


@pytest.mark.parametrize("card", ["tok_unavailable", "tok_no_answer", "tok_used"])
def test_without_the_card_processor_nothing_is_left_of_an_order(partner: Partner, pool: Pool, card: str) -> None:
    partner.register()
    before = stock(pool, 12)
    assert partner.order((12, 2), card=card) == {"ok": 0, "error": "card processor down"}
    assert stock(pool, 12) == before
    assert rows(pool, "SELECT 1 FROM orders") == rows(pool, "SELECT 1 FROM order_items") == []


def test_a_lost_answer_of_the_card_processor_is_asked_for_once_more(
    partner: Partner, card_company: CardCompany
) -> None:
    partner.register()
    assert partner.order((12, 1), card="tok_answer_lost")["ok"] == 1
    assert [asked["key"] for asked in card_company.asked] == ["legacy-1", "legacy-1"]


def test_an_order_of_more_than_there_is_leaves_nothing(partner: Partner, pool: Pool) -> None:
    partner.register()
    with pool.connection() as db:
        db.execute("UPDATE products SET stock = 1 WHERE id = 12")
    before = stock(pool, 2)
    assert partner.order((2, 1), (12, 2)) == {"ok": 0, "error": "not enough stock of 12"}
    assert (stock(pool, 2), stock(pool, 12)) == (before, 1)
    assert rows(pool, "SELECT 1 FROM orders") == []


def test_the_last_copy_is_sold_and_then_not_available(partner: Partner, pool: Pool) -> None:
    partner.register()
    with pool.connection() as db:
        db.execute("UPDATE products SET stock = 1 WHERE id = 12")
    assert partner.order((12, 1))["ok"] == 1
    assert partner.get("products/12")["product"]["avail"] == "N"


def test_an_order_of_an_unknown_product_leaves_nothing(partner: Partner, pool: Pool) -> None:
    partner.register()
    before = stock(pool, 2)
    assert partner.order((2, 1), (99999, 1)) == {"ok": 0, "error": "no such product 99999"}
    assert stock(pool, 2) == before


@pytest.mark.parametrize(
    "body",
    [
        None,
        [],
        {},
        {"items": [], "card": "tok_ok"},
        {"items": [{"id": 12, "qty": 1}]},
        {"items": [{"id": 12, "qty": 1}], "card": ""},
        {"items": [{"id": 12, "qty": 1}], "card": 5},
        {"items": [{"id": 12, "qty": 0}], "card": "tok_ok"},
        {"items": [{"id": 12, "qty": 101}], "card": "tok_ok"},
        {"items": [{"id": 12, "qty": True}], "card": "tok_ok"},
        {"items": [{"id": "12", "qty": 1}], "card": "tok_ok"},
        {"items": [{"id": 12, "qty": 1}, {"id": 12, "qty": 1}], "card": "tok_ok"},
        {"items": [{"id": number, "qty": 1} for number in range(1, 22)], "card": "tok_ok"},
        {"items": ["12"], "card": "tok_ok"},
    ],
)
def test_an_order_that_is_none_is_a_bad_request(partner: Partner, body: Any) -> None:
    partner.register()
    assert partner.post("orders", body) == BAD_REQUEST


def test_a_body_that_is_no_json_is_a_bad_request(app: Flask) -> None:
    answer = app.test_client().post("/legacy/api/register", data=b"{")
    assert (answer.status_code, json.loads(answer.data)) == (200, BAD_REQUEST)


def test_orders_are_listed_the_newest_first_and_fifty_at_most(partner: Partner, pool: Pool) -> None:
    partner.register()
    partner.order((12, 1))
    with pool.connection() as db:
        db.execute(
            "INSERT INTO orders (customer_id, status, total, created) "
            "SELECT 1, 'X', 0, now() FROM generate_series(1, 60)"
        )
    ids = [order["id"] for order in partner.get("orders")["orders"]]
    assert ids == list(range(61, 11, -1))
    assert partner.get("orders/1")["order"]["id"] == 1


def test_an_order_of_somebody_else_is_no_order(app: Flask, partner: Partner) -> None:
    partner.register()
    partner.order((12, 1))
    other = Partner(app)
    other.register("bob@example.com")
    assert other.get("orders/1") == {"ok": 0, "error": "no such order"}
    assert other.get("orders") == {"ok": 1, "orders": []}


def test_a_customer_registers_and_is_known_again_in_any_case(partner: Partner) -> None:
    assert partner.register("Ann@Example.COM") == {
        "ok": 1,
        "customer": {"id": 1, "email": "ann@example.com", "name": "Ann"},
    }
    partner.log_in("ANN@example.com", PASSWORD)
    assert partner.get("me") == {"ok": 1, "customer": {"id": 1, "email": "ann@example.com", "name": "Ann"}}
    assert partner.register("ann@EXAMPLE.com") == {"ok": 0, "error": "e-mail taken"}


@pytest.mark.parametrize(
    ("email", "name"),
    [("ann", "Ann"), ("ann@example.com", ""), ("ann@example.com", "A\nnn"), ("@b.c", "A"), ("a@b", "A")],
)
def test_an_account_that_is_none_is_a_bad_request(partner: Partner, email: str, name: str) -> None:
    assert partner.register(email, name) == BAD_REQUEST


@pytest.mark.parametrize("path", ["me", "orders", "orders/1"])
def test_who_is_not_known_does_not_get_in(partner: Partner, path: str) -> None:
    failed = {"ok": 0, "error": "login failed"}
    assert partner.get(path) == failed
    partner.register()
    for email, password in (("ann@example.com", "wrong"), ("bob@example.com", PASSWORD), ("\x00", "")):
        partner.log_in(email, password)
        assert partner.get(path) == failed
    partner.headers = {"Authorization": "Bearer of-bad-news"}
    assert partner.get(path) == failed


def test_passwords_are_salted_sha1_as_they_were_then(partner: Partner, pool: Pool) -> None:
    partner.register()
    (row,) = rows(pool, "SELECT salt, password FROM customers")
    assert re.fullmatch(r"[0-9a-f]{8}", row["salt"])
    assert row["password"] == hashlib.sha1((row["salt"] + PASSWORD).encode()).hexdigest()  # noqa: S324


def test_unknown_paths_and_wrong_methods_are_answered_by_flask(app: Flask) -> None:
    client = app.test_client()
    assert client.get("/legacy/api/nothing").status_code == 404
    assert client.get("/api/products").status_code == 404
    assert client.post("/legacy/api/products").status_code == 405
