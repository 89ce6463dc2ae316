"""Whether two answers say the same: the differences that must be found, and what must not be called one."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facade.comparison import Difference, Kind, compare, compare_answers, read
from facade.legacy_http import LegacyResponse
from services.facade.tests.answers import HTML, JSON, answer, order, page, product, products

Books = list[dict[str, Any]]


def kinds(legacy: LegacyResponse, modern: LegacyResponse) -> set[Kind]:
    return {each.kind for each in compare_answers(legacy, modern)}


def one(legacy: LegacyResponse, modern: LegacyResponse) -> tuple[str, Kind]:
    (found,) = compare_answers(legacy, modern)
    return found.path, found.kind


def changed(number: int, **other: Any) -> Books:
    return [product(each, **(other if each == number else {})) for each in range(1, 7)]


def without(values: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in values.items() if key != name}


BOOKS = changed(0)
LEGACY = answer(products())


SHOWN = answer({"ok": 1, "order": order(7)})
SEEDED: dict[str, tuple[LegacyResponse, LegacyResponse, str]] = {
    "field-lost": (
        LEGACY,
        answer(products(products=[without(BOOKS[0], "author"), *BOOKS[1:]])),
        "body.products[1].author",
    ),
    "rounding": (LEGACY, answer(products(products=changed(2, price="44.00"))), "body.products[2].price"),
    "list-order": (LEGACY, answer(products(products=[BOOKS[i] for i in (2, 0, 4, 3, 5, 1)])), "body.products"),
    "sort": (LEGACY, answer(products(products=sorted(BOOKS, key=lambda book: book["price"]))), "body.products"),
    "status": (LEGACY, answer(products(ok=0)), "body.ok"),
    "null-absent": (answer(products(next=None)), answer(without(products(), "next")), "body.next"),
    "encoding": (
        LEGACY,
        answer(products(products=changed(3, title="Ã\x89mile, 3. Teil & Co"))),
        "body.products[3].title",
    ),
    "paging": (LEGACY, answer(products(next=5)), "body.next"),
    "time-zone": (
        SHOWN,
        answer({"ok": 1, "order": order(7, created="24.11.2026 15:05:07")}),
        "body.order.created",
    ),
    "header": (
        LEGACY,
        replace(LEGACY, headers=(*JSON, ("Cache-Control", "max-age=60"))),
        "headers.cache-control",
    ),
}


@pytest.mark.parametrize("kind", [kind for kind in Kind if kind is not Kind.OTHER])
def test_a_seeded_difference_is_found_and_named(kind: Kind) -> None:
    legacy, modern, path = SEEDED[kind]
    assert one(legacy, modern) == (path, kind)


SEEDED_PAGES: dict[str, Callable[[Books], LegacyResponse]] = {
    "field-lost": lambda books: page([{**books[0], "author": ""}, *books[1:]], after=6),
    "rounding": lambda books: page([{**books[0], "price": "47.00"}, *books[1:]], after=6),
    "list-order": lambda books: page([books[i] for i in (2, 0, 4, 3, 5, 1)], after=6),
    "sort": lambda books: page(list(reversed(books)), after=6),
    "status": lambda books: replace(page(books, after=6), status=404),
    "encoding": lambda books: page([{**books[0], "title": "Émile, 1. Teil &amp; Co"}, *books[1:]], after=6),
    "paging": lambda books: page(books, after=5),
    "header": lambda books: page(books, after=6, headers=(*HTML, ("Set-Cookie", "other=1"))),
}


@pytest.mark.parametrize("kind", SEEDED_PAGES)
def test_a_seeded_difference_of_a_page_is_found_and_named(kind: str) -> None:
    assert kinds(page(BOOKS, after=6), SEEDED_PAGES[kind](BOOKS)) == {kind}


def test_another_media_type_is_another_header() -> None:
    modern = replace(LEGACY, headers=(("Content-Type", "text/plain"),))
    assert ("headers.content-type", Kind.HEADER) in {(each.path, each.kind) for each in compare_answers(LEGACY, modern)}


def test_a_page_shows_a_time_of_another_zone() -> None:
    legacy = LegacyResponse(200, HTML, b"<p>Date: 24.11.2026 16:05:33<br />Status: paid</p>")
    modern = LegacyResponse(200, HTML, b"<p>Date: 24.11.2026 15:05:33<br />Status: refused by the card</p>")
    assert [each.kind for each in compare_answers(legacy, modern)] == [Kind.TIME_ZONE, Kind.STATUS]


@pytest.mark.parametrize(
    ("legacy", "modern"),
    [
        ("24.49", "24.00"),
        ("24.49", "24.50"),
        ("24.99", "25.00"),
        ("9.995", "10.00"),
    ],
)
def test_a_price_that_is_almost_the_same_was_rounded(legacy: str, modern: str) -> None:
    assert compare({"price": legacy}, {"price": modern}) == [Difference("price", Kind.ROUNDING, legacy, modern)]


def test_a_wholly_different_price_is_no_rounding() -> None:
    assert [each.kind for each in compare({"price": "24.99"}, {"price": "12.99"})] == [Kind.OTHER]


@pytest.mark.parametrize("damaged", ["Ã©tÃ©", "�t�", "?t?", "ete", "&eacute;t&eacute;", "&amp;eacute;t&amp;eacute;"])
def test_a_text_with_damaged_letters_is_badly_encoded(damaged: str) -> None:
    assert [each.kind for each in compare({"title": "été"}, {"title": damaged})] == [Kind.ENCODING]


def test_bytes_of_another_encoding_than_declared_are_found() -> None:
    modern = replace(LEGACY, body=json.dumps(products(), ensure_ascii=False).encode("latin-1"))
    assert kinds(LEGACY, modern) == {Kind.ENCODING}


def test_null_instead_of_a_value_is_a_lost_field() -> None:
    assert [each.kind for each in compare({"author": "Austen"}, {"author": None})] == [Kind.FIELD_LOST]


def test_items_of_an_order_in_another_order_are_named_so() -> None:
    turned = order(7, items=list(reversed(order(7)["items"])))
    assert one(answer({"ok": 1, "order": order(7)}), answer({"ok": 1, "order": turned})) == (
        "body.order.items",
        Kind.LIST_ORDER,
    )


def test_orders_with_the_oldest_first_are_missorted() -> None:
    legacy = {"ok": 1, "orders": [order(9), order(7)]}
    modern = {"ok": 1, "orders": [order(7), order(9)]}
    assert one(answer(legacy), answer(modern)) == ("body.orders", Kind.SORT)


@pytest.mark.parametrize("part", [slice(0, 5), slice(1, 6), slice(2, 4), slice(0, 0)])
def test_a_page_that_ends_or_begins_elsewhere_is_a_matter_of_paging(part: slice) -> None:
    assert kinds(LEGACY, answer(products(products=BOOKS[part]))) == {Kind.PAGING}


def test_a_page_that_is_moved_by_one_is_a_matter_of_paging() -> None:
    moved = [product(number) for number in range(2, 8)]
    assert kinds(LEGACY, answer(products(products=moved))) == {Kind.PAGING}


def test_a_book_that_is_missing_in_the_middle_is_lost() -> None:
    assert one(LEGACY, answer(products(products=[*BOOKS[:2], *BOOKS[3:]]))) == ("body.products[3]", Kind.FIELD_LOST)


def test_an_answer_of_another_kind_is_one_difference() -> None:
    failed = answer({"ok": 0, "error": "no such product"})
    assert one(answer({"ok": 1, "product": product(1)}), failed) == ("body.ok", Kind.STATUS)


def test_the_spelling_of_json_means_nothing() -> None:
    turned = dict(reversed(products().items()))
    modern = LegacyResponse(200, JSON, json.dumps(turned, ensure_ascii=False, indent=2).encode())
    assert compare_answers(LEGACY, modern) == []


def test_a_price_is_compared_as_an_amount() -> None:
    assert compare({"price": "24.90"}, {"price": "24.9"}) == []


def test_a_number_in_place_of_a_text_is_a_difference() -> None:
    assert compare({"price": "24.90"}, {"price": 24.9}) != []
    assert compare({"ok": 1}, {"ok": True}) != []


def test_headers_that_change_nothing_for_a_client_are_not_compared() -> None:
    legacy = page(
        BOOKS, headers=(*HTML, ("Date", "a"), ("Server", "waitress"), ("Set-Cookie", "shopsession=one; Path=/"))
    )
    spelled = (
        ("content-type", 'text/html;charset="UTF-8"'),
        ("cache-control", "private,no-store"),
        ("set-cookie", "shopsession=two"),
    )
    assert compare_answers(legacy, page(BOOKS, headers=spelled)) == []


def test_the_host_of_a_redirect_is_not_compared_but_its_path_is() -> None:
    def redirect(location: str) -> LegacyResponse:
        return LegacyResponse(302, (("Location", location),))

    assert compare_answers(redirect("http://legacy:8080/legacy/orders/7"), redirect("/legacy/orders/7")) == []
    assert kinds(redirect("/legacy/orders/7"), redirect("/legacy/orders/8")) == {Kind.HEADER}


def test_spaces_and_tokens_of_a_page_mean_nothing() -> None:
    legacy, modern = page(BOOKS, csrf="one"), page(BOOKS, csrf="two")
    spaced = replace(modern, body=modern.body.replace(b"><", b">\n  <"))
    assert compare_answers(legacy, modern) == []
    assert compare_answers(legacy, spaced) == []


def test_a_form_without_its_token_is_a_lost_field() -> None:
    legacy = page(BOOKS)
    modern = replace(legacy, body=legacy.body.replace(b'<input type="hidden" name="csrf" value="t0" />', b""))
    assert one(legacy, modern) == ("body.forms[/legacy/logout].csrf", Kind.FIELD_LOST)


def test_a_sample_does_not_name_the_customer() -> None:
    found = compare_answers(page(BOOKS, who="ann@example.org"), page(BOOKS, who="Ann"))
    assert found
    assert "ann@example.org" not in repr(found)


texts = st.text(max_size=20)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | texts | st.decimals(0, 1000, places=2).map(str),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=20,
)


@settings(database=None, deadline=None)
@given(values)
def test_anything_is_equal_to_itself(value: Any) -> None:
    assert compare(value, json.loads(json.dumps(value))) == []


@settings(database=None, deadline=None)
@given(values, values)
def test_what_is_not_equal_is_found_whichever_way_round(legacy: Any, modern: Any) -> None:
    assert bool(compare(legacy, modern)) == bool(compare(modern, legacy))


@settings(database=None, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_can_be_read(body: bytes) -> None:
    for media_type in ("application/json", "text/html", "text/html; charset=nonsense", "", "image/png"):
        read(LegacyResponse(200, (("Content-Type", media_type),), body))
