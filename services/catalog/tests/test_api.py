"""The catalogue over HTTP, with real PostgreSQL behind it."""

import asyncio
import json
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

EMMA = "9799001000010"
OTHER = "9799001000027"


async def test_a_book_that_was_added_can_be_read_where_location_says(shop: Any, content: Any) -> None:
    sent = shop.headers(if_none_match="*")
    added = await shop.client.put(f"/api/catalog/books/{EMMA}", json=content(), headers=sent)
    assert added.status_code == 201
    read = await shop.client.get(added.headers["location"])
    assert read.json() == added.json() == {"isbn": EMMA, "number": 1_000_001, **content(), "version": 1}
    assert read.headers["etag"] == added.headers["etag"] == '"1"'
    assert read.headers["cache-control"] == "public, no-cache"


async def test_a_book_is_added_once(shop: Any, content: Any) -> None:
    await shop.add(EMMA)
    sent = shop.headers(if_none_match="*")
    again = await shop.client.put(f"/api/catalog/books/{EMMA}", json=content("Another"), headers=sent)
    assert (again.status_code, again.json()["type"]) == (412, "urn:banyan:problem:precondition-failed")
    assert (await shop.read(EMMA)).json()["title"] == "Emma"


async def test_a_book_is_replaced_at_the_version_last_read(shop: Any, content: Any) -> None:
    await shop.add(EMMA)
    path, body = f"/api/catalog/books/{EMMA}", content("Emma, revised", year=1816)
    stale = await shop.client.put(path, json=body, headers=shop.headers(if_match='"2"'))
    fresh = await shop.client.put(path, json=body, headers=shop.headers(if_match='"1"'))
    assert (stale.status_code, fresh.status_code) == (412, 200)
    replaced = {"isbn": EMMA, "number": 1_000_001, **body, "version": 2}
    assert (await shop.read(EMMA)).json() == fresh.json() == replaced


async def test_of_two_price_changes_with_one_etag_one_is_made(shop: Any) -> None:
    await shop.add(EMMA)
    answers = await asyncio.gather(*(shop.reprice(EMMA, 1000 + n, if_match='"1"') for n in range(6)))
    assert Counter(answer.status_code for answer in answers) == {200: 1, 412: 5}
    winner = next(answer.json() for answer in answers if answer.status_code == 200)
    assert (await shop.read(EMMA)).json() == winner
    assert winner["version"] == 2


async def test_a_price_change_says_which_version_it_means(shop: Any) -> None:
    await shop.add(EMMA)
    unsaid = await shop.reprice(EMMA, 999)
    assert (unsaid.status_code, unsaid.json()["type"]) == (428, "urn:banyan:problem:precondition-required")
    assert (await shop.reprice(EMMA, 999, if_match='W/"1"')).status_code == 412
    assert (await shop.reprice(EMMA, 999, if_match='"0", "1"')).status_code == 200
    assert (await shop.reprice(EMMA, 998, if_match="*")).json()["version"] == 3
    assert (await shop.reprice(OTHER, 998, if_match="*")).status_code == 404


async def test_a_reader_who_holds_the_version_gets_no_body(shop: Any) -> None:
    await shop.add(EMMA)
    held = (await shop.read(EMMA)).headers["etag"]
    same = await shop.read(EMMA, if_none_match=held)
    assert (same.status_code, same.content, same.headers["etag"]) == (304, b"", held)
    await shop.reprice(EMMA, 999, if_match=held)
    newer = await shop.read(EMMA, if_none_match=held)
    assert (newer.status_code, newer.json()["price"]["amount"], newer.headers["etag"]) == (200, 999, '"2"')


@pytest.mark.parametrize("query", [{}, {"q": "volume"}], ids=["listed", "searched"])
async def test_pages_have_no_gaps_and_no_doubles_while_books_are_added(
    shop: Any, isbn: Callable[[int], str], query: dict[str, str]
) -> None:
    there = [isbn(2 * number) for number in range(15)]
    for number, book in enumerate(there):
        await shop.add(book, title=f"Volume {number % 4}", author="A. Writer")
    seen: list[str] = []
    cursor: dict[str, str] = {}
    for page_number in range(20):
        page = await shop.search(**query, **cursor, limit=4)
        seen += [book["isbn"] for book in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = {"cursor": page["next_cursor"]}
        await shop.add(isbn(2 * page_number + 1), title=f"Volume {page_number % 4}", author="A. Writer")
    assert page["next_cursor"] is None
    assert [book for book, count in Counter(seen).items() if count > 1] == []
    assert set(there) <= set(seen)


async def test_a_cursor_is_good_for_its_own_list_only(shop: Any, isbn: Callable[[int], str]) -> None:
    for number in range(3):
        await shop.add(isbn(number))
    cursor = (await shop.search(limit=1))["next_cursor"]
    for params in ({"cursor": cursor, "q": "emma"}, {"cursor": cursor[:-3]}, {"cursor": "AAAA"}, {"cursor": ""}):
        answer = await shop.client.get("/api/catalog/books", params=params)
        assert (answer.status_code, answer.json()["type"]) == (422, "urn:banyan:problem:unprocessable")


@pytest.mark.parametrize(
    "params", [{"limit": 0}, {"limit": 101}, {"q": "a\0b"}, {"q": "x" * 201}, {"cursor": "x" * 5000}]
)
async def test_a_search_out_of_bounds_is_refused(shop: Any, params: dict[str, Any]) -> None:
    assert (await shop.client.get("/api/catalog/books", params=params)).status_code == 422


async def test_prices_leave_out_unknown_books(shop: Any) -> None:
    await shop.add(EMMA)
    answer = await shop.client.get("/api/catalog/prices", params={"isbn": [OTHER, EMMA]})
    price = {"amount": 1299, "currency": "EUR"}
    priced = {"isbn": EMMA, "number": 1_000_001, "title": "Emma", "price": price, "version": 1}
    assert answer.json() == {"items": [priced]}
    for isbns in ([], [EMMA] * 51, ["123"]):
        assert (await shop.client.get("/api/catalog/prices", params={"isbn": isbns})).status_code == 422


async def test_a_book_is_found_by_its_number_too(shop: Any) -> None:
    await shop.add(OTHER)
    await shop.add(EMMA, title="Emma")
    found = await shop.client.get("/api/catalog/numbers/1000002")
    by_isbn = await shop.read(EMMA)
    assert (found.json(), found.headers["etag"]) == (by_isbn.json(), by_isbn.headers["etag"])
    assert (await shop.client.get("/api/catalog/numbers/1000003")).status_code == 404
    for wrong in ("0", "-1", str(2**63), "emma"):
        assert (await shop.client.get(f"/api/catalog/numbers/{wrong}")).status_code == 422


async def test_books_are_listed_by_number_and_the_list_says_whether_it_goes_on(
    shop: Any, isbn: Callable[[int], str]
) -> None:
    for number in (3, 1, 2):
        await shop.add(isbn(number))
    first = (await shop.client.get("/api/catalog/numbers", params={"limit": 2})).json()
    assert ([book["number"] for book in first["items"]], first["more"]) == ([1_000_001, 1_000_002], True)
    rest = (await shop.client.get("/api/catalog/numbers", params={"limit": 2, "after": 1_000_002})).json()
    assert ([book["isbn"] for book in rest["items"]], rest["more"]) == ([isbn(2)], False)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("MM", ["Emma"]),
        ("austen", ["Emma", "100% Austen_"]),
        ("0% a", ["100% Austen_"]),
        ("%", ["100% Austen_"]),
        ("_", ["100% Austen_"]),
        ("\\", ["Back\\slash"]),
        ("' OR 1=1", []),
    ],
)
async def test_a_list_can_be_narrowed_to_a_text_as_it_stands(
    shop: Any, isbn: Callable[[int], str], text: str, found: list[str]
) -> None:
    await shop.add(isbn(1), title="Emma", author="Jane Austen")
    await shop.add(isbn(2), title="100% Austen_", author="Nobody")
    await shop.add(isbn(3), title="Back\\slash", author="Somebody")
    listed = (await shop.client.get("/api/catalog/numbers", params={"contains": text})).json()
    assert [book["title"] for book in listed["items"]] == found


async def test_an_unknown_book_is_not_found_and_a_wrong_isbn_no_address(shop: Any) -> None:
    assert (await shop.read(EMMA)).status_code == 404
    assert (await shop.read("9799001000011")).status_code == 422
    assert (await shop.read("emma")).status_code == 422


async def test_only_operators_change_the_catalogue(shop: Any, content: Any) -> None:
    path = f"/api/catalog/books/{EMMA}"
    stranger = await shop.client.put(path, json=content(), headers={"If-None-Match": "*"})
    customer = await shop.client.put(path, json=content(), headers=shop.headers("customer", if_none_match="*"))
    assert (stranger.status_code, customer.status_code) == (401, 403)
    assert (await shop.read(EMMA)).status_code == 404


@pytest.mark.parametrize(
    "change",
    [
        {"isbn": EMMA},
        {"title": ""},
        {"title": "a\0b"},
        {"title": "\ud800"},
        {"title": "x" * 301},
        {"year": 10**9},
        {"year": "1815"},
        {"price": {"amount": 0, "currency": "EUR"}},
        {"price": {"amount": 100_000_000, "currency": "EUR"}},
        {"price": {"amount": 2**31, "currency": "EUR"}},
        {"price": {"amount": 12.99, "currency": "EUR"}},
        {"price": {"amount": 1299, "currency": "eur"}},
        {"price": {"amount": 1299, "currency": "EUR", "vat": 7}},
    ],
)
async def test_a_book_out_of_bounds_is_refused_and_changes_nothing(shop: Any, content: Any, change: Any) -> None:
    # Without its type any body at all would be refused.
    sent = {**shop.headers(if_none_match="*"), "Content-Type": "application/json"}
    body = json.dumps({**content(), **change})  # httpx's own encoder cannot send half a character
    answer = await shop.client.put(f"/api/catalog/books/{EMMA}", content=body, headers=sent)
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
    assert (await shop.read(EMMA)).status_code == 404


async def test_a_put_says_whether_it_creates_or_replaces(shop: Any, content: Any) -> None:
    path = f"/api/catalog/books/{EMMA}"
    neither = await shop.client.put(path, json=content(), headers=shop.headers())
    both = await shop.client.put(path, json=content(), headers=shop.headers(if_match='"1"', if_none_match="*"))
    assert (neither.status_code, both.status_code) == (428, 400)
