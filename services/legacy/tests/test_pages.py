"""The pages, as somebody with a browser sees them."""

import html
import re
from typing import Any

import pytest
from flask import Flask
from flask.sessions import SecureCookieSessionInterface
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from legacy import render
from legacy.db import Pool
from legacy.settings import PACKAGED_PRODUCTS
from services.legacy.tests.fakes import PASSWORD, Browser, CardCompany, rows, stock


def test_all_books_are_reached_by_the_links_of_the_pages(browser: Browser) -> None:
    found: list[str] = []
    path: str | None = ""
    while path is not None:
        text = browser.get(path).text
        found += re.findall(r"/legacy/book/(\d+)", text)
        link = re.search(r'href="/legacy/([^"]*)">next page', text)
        path = html.unescape(link.group(1)) if link else None
    assert [int(number) for number in found] == list(range(1, 318))


def test_a_search_keeps_its_words_from_page_to_page(browser: Browser) -> None:
    text = browser.get("search?q=the").text
    link = re.search(r'href="/legacy/([^"]*)">next page', text)
    assert link is not None
    following = browser.get(html.unescape(link.group(1))).text
    assert "Books with &#34;the&#34;" in following
    assert 'name="q" value="the"' in following


def test_words_of_a_search_cannot_write_into_the_page(browser: Browser) -> None:
    text = browser.get("search?q=<script>").text
    assert "<script>" not in text
    assert "No books were found." in text


def test_who_only_looks_round_gets_no_cookie(browser: Browser) -> None:
    for path in ("", "search?q=the"):
        assert "Set-Cookie" not in browser.get(path).headers


def test_the_cookie_is_the_one_that_the_contract_names(app: Flask, browser: Browser) -> None:
    header = browser.register().headers["Set-Cookie"]
    name, _, rest = header.partition("=")
    value, *attributes = rest.split("; ")
    assert name == "shopsession"
    assert set(attributes) == {"HttpOnly", "Path=/legacy", "SameSite=Lax"}
    serializer = SecureCookieSessionInterface().get_signing_serializer(app)
    assert serializer is not None
    content = serializer.loads(value)
    assert content == {"customer": 1, "email": "ann@example.com", "csrf": browser.token}


def test_a_book_is_bought_from_the_page_to_the_order(browser: Browser, pool: Pool, card_company: CardCompany) -> None:
    browser.register()
    before = stock(pool, 12)
    assert "in stock" in browser.get("book/12").text
    assert browser.post("basket", id="12", qty="2").location == "/legacy/basket"
    basket = browser.get("basket").text
    assert "Basket (2)" in basket
    assert "Buy now" in browser.get("checkout").text
    bought = browser.post("checkout", card="tok_ok")
    assert (bought.status_code, bought.location, bought.data) == (302, "/legacy/orders/1", b"")
    order = browser.get("orders/1").text
    assert "Status: paid" in order
    assert "Basket (0)" in order
    assert ">1</a>" in browser.get("orders").text
    assert stock(pool, 12) == before - 2
    assert len(card_company.asked) == 1


def test_a_book_is_put_into_the_basket_changed_and_taken_out(browser: Browser) -> None:
    browser.get("book/12")
    browser.post("basket", id="12", qty="2")
    browser.post("basket", id="3", qty="1")
    browser.post("basket", id="12", qty="5")
    assert "Basket (6)" in browser.get("basket").text
    browser.post("basket", id="12", qty="0")
    browser.post("basket", id="4", qty="0")
    assert "Basket (1)" in browser.get("basket").text


@pytest.mark.parametrize("qty", ["", "-1", "101", "x"])
def test_a_quantity_that_is_none_is_said_to_be(browser: Browser, qty: str) -> None:
    browser.get("book/12")
    assert "at most 100 of a book" in browser.post("basket", id="12", qty=qty).text
    assert "Your basket is empty" in browser.get("basket").text


def test_a_basket_has_an_end(browser: Browser) -> None:
    browser.get("book/12")
    for number in range(1, 21):
        assert browser.post("basket", id=str(number), qty="100").status_code == 302
    assert "the basket is full" in browser.post("basket", id="21", qty="1").text
    assert browser.post("basket", id="20", qty="1").status_code == 302


def test_a_basket_survives_the_login_and_not_the_logout(browser: Browser) -> None:
    browser.get("book/12")
    browser.post("basket", id="12", qty="2")
    browser.register()
    assert "Basket (2)" in browser.get("").text
    assert browser.post("logout").location == "/legacy/"
    assert "Basket (0)" in browser.get("").text


def test_a_login_leads_to_the_basket_when_there_is_one(app: Flask, browser: Browser) -> None:
    Browser(app).register()
    browser.get("login")
    assert browser.post("login", email="Ann@example.com", password=PASSWORD).location == "/legacy/"
    browser.get("book/12")
    browser.post("basket", id="12", qty="1")
    browser.get("login")
    assert browser.post("login", email="ann@example.com", password=PASSWORD).location == "/legacy/basket"


def test_a_failed_login_keeps_the_address(browser: Browser) -> None:
    browser.get("login")
    answer = browser.post("login", email='"><b>', password="x")
    assert answer.status_code == 200
    assert "Sorry: login failed." in answer.text
    assert 'value="&#34;&gt;&lt;b&gt;"' in answer.text


def test_a_taken_address_is_said_to_be(app: Flask, browser: Browser) -> None:
    Browser(app).register()
    assert "Sorry: e-mail taken." in browser.register().text


@pytest.mark.parametrize("path", ["basket", "checkout", "login", "register", "logout"])
def test_a_form_of_another_site_is_refused(browser: Browser, path: str) -> None:
    browser.register()
    browser.token = "0" * 32
    answer = browser.post(path, id="12", qty="1", card="tok_ok")
    assert answer.status_code == 403
    assert "this form has expired" in answer.text


def test_a_browser_without_cookies_cannot_send_a_form_without_a_token(browser: Browser) -> None:
    assert browser.post("basket", id="12", qty="1").status_code == 403


@pytest.mark.parametrize("path", ["checkout", "orders", "orders/1"])
def test_who_is_not_known_is_sent_to_the_login(browser: Browser, path: str) -> None:
    assert browser.get(path).location == "/legacy/login"


def test_a_checkout_without_a_basket_leads_to_the_basket(browser: Browser) -> None:
    browser.register()
    assert browser.get("checkout").location == "/legacy/basket"
    assert browser.post("checkout", card="tok_ok").location == "/legacy/basket"


@pytest.mark.parametrize(
    ("card", "message", "orders"),
    [
        ("tok_declined", "Sorry: card declined.", 1),
        ("tok_unavailable", "Sorry: card processor down.", 0),
        ("", "Sorry: card declined.", 1),
    ],
)
def test_a_failed_checkout_says_why_and_keeps_the_basket(
    browser: Browser, pool: Pool, card: str, message: str, orders: int
) -> None:
    browser.register()
    browser.get("book/12")
    browser.post("basket", id="12", qty="1")
    answer = browser.post("checkout", card=card)
    assert answer.status_code == 200
    assert message in answer.text
    assert "Basket (1)" in answer.text
    assert len(rows(pool, "SELECT 1 FROM orders")) == orders


def test_a_cookie_of_a_customer_who_is_not_there_any_more_is_forgotten_at_the_checkout(
    browser: Browser, pool: Pool
) -> None:
    browser.register()
    browser.get("book/12")
    browser.post("basket", id="12", qty="1")
    with pool.connection() as db:
        db.execute("DELETE FROM customers")
    assert browser.post("checkout", card="tok_ok").location == "/legacy/login"
    assert "Log in" in browser.get("").text


@pytest.mark.parametrize("path", ["book/99999", "orders/99999"])
def test_what_is_not_there_is_a_page_that_says_so(browser: Browser, path: str) -> None:
    browser.register()
    answer = browser.get(path)
    assert answer.status_code == 404
    assert "Sorry: no such" in answer.text


def test_the_order_of_somebody_else_is_not_shown(app: Flask, browser: Browser) -> None:
    browser.register()
    browser.get("book/12")
    browser.post("basket", id="12", qty="1")
    browser.post("checkout", card="tok_ok")
    other = Browser(app)
    other.register("bob@example.com", "Bob")
    assert other.get("orders/1").status_code == 404


def test_templates_need_nothing_but_their_values() -> None:
    """Whoever has the values can render the same page, without Flask."""
    elsewhere = Environment(
        loader=FileSystemLoader(PACKAGED_PRODUCTS.with_name("templates")), autoescape=True, undefined=StrictUndefined
    )
    product = {"id": 1, "isbn": "9", "title": "<T>", "author": "Ä", "year": 1, "price": "1.00", "avail": "N"}
    line = {"id": 1, "title": "<T>", "qty": 2, "price": "1.00", "amount": "2.00"}
    order = {"id": 1, "status": "P", "total": "2.00", "created": "24.11.2026 16:05:33", "items": [line]}
    frame = {"title": "T", "message": "", "query": 'a "b', "customer": "a@b.c", "basket_count": 1, "csrf": "0"}
    pages: dict[str, dict[str, Any]] = {
        "list.html": {"products": [product], "start": 20, "next": 40, "path": "/legacy/search"},
        "book.html": {"product": product},
        "basket.html": {"lines": [line], "total": "2.00"},
        "checkout.html": {"lines": [line], "total": "2.00"},
        "orders.html": {"orders": [order]},
        "order.html": {"order": order},
        "login.html": {"email": ""},
        "register.html": {"name": "", "email": ""},
        "message.html": {},
    }
    assert {*pages, "layout.html"} == set(elsewhere.list_templates())
    for name, values in pages.items():
        assert elsewhere.get_template(name).render(frame | values) == render.page(name, **frame, **values)
