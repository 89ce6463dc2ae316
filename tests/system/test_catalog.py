"""Reading the catalogue, and what an operator's change does to the next order."""

from tests.system.shop import Caller, Shop, assert_problem


def test_a_book_is_found_by_words_of_its_title_and_author(shop: Shop) -> None:
    found = shop.client().get("/api/catalog/books", params={"q": "praise folly erasmus"}).json()["items"]
    assert [book["title"] for book in found] == ["The Praise of Folly"]


def test_the_whole_catalogue_is_read_page_by_page_without_a_book_twice(shop: Shop) -> None:
    client, cursor, isbns = shop.client(), None, list[str]()
    while True:
        params = {"limit": "50"} | ({"cursor": cursor} if cursor else {})
        page = client.get("/api/catalog/books", params=params).json()
        isbns += [book["isbn"] for book in page["items"]]
        assert len(isbns) == len(set(isbns))
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert len(isbns) >= 200


def test_a_book_that_has_not_changed_is_not_sent_again(shop: Shop, isbns: list[str]) -> None:
    book = shop.book(isbns[4])
    headers = {"If-None-Match": book.headers["ETag"]}
    again = shop.client().get(f"/api/catalog/books/{isbns[4]}", headers=headers)
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["ETag"] == book.headers["ETag"]
    other = shop.client().get(f"/api/catalog/books/{isbns[4]}", headers={"If-None-Match": '"0"'})
    assert (other.status_code, other.content) == (200, book.content)


def test_the_next_order_costs_what_the_operator_has_set(
    shop: Shop, customer: Caller, operator: Caller, isbns: list[str]
) -> None:
    book = shop.book(isbns[5])
    price = {"amount": book.json()["price"]["amount"] + 111, "currency": "EUR"}
    path, seen = f"/api/catalog/books/{isbns[5]}/price", {"If-Match": book.headers["ETag"]}
    changed = operator.http.put(path, json=price, headers=seen)
    assert changed.status_code == 200, changed.text
    assert changed.json()["version"] == book.json()["version"] + 1
    assert changed.headers["ETag"] != book.headers["ETag"]
    order = customer.final(customer.accepted([(isbns[5], 2)]))
    assert order["total"] == {"amount": 2 * price["amount"], "currency": "EUR"}
    assert order["lines"][0]["unit_price"] == price


def test_of_two_operators_who_saw_the_same_version_the_second_is_refused(
    shop: Shop, operator: Caller, isbns: list[str]
) -> None:
    book = shop.book(isbns[6])
    path, price = f"/api/catalog/books/{isbns[6]}/price", book.json()["price"]
    headers = {"If-Match": book.headers["ETag"]}
    assert operator.http.put(path, json=price, headers=headers).status_code == 200
    after = shop.book(isbns[6]).json()
    assert_problem(operator.http.put(path, json=price, headers=headers), 412, "precondition-failed")
    assert_problem(operator.http.put(path, json=price), 428, "precondition-required")
    assert shop.book(isbns[6]).json() == after


def test_the_merged_openapi_and_its_page_are_served(shop: Shop) -> None:
    page = shop.client().get("/docs")
    assert page.status_code == 200
    assert page.headers["Content-Type"].startswith("text/html")
    paths = shop.client().get("/openapi.json").json()["paths"]
    assert {"/api/orders", "/api/catalog/books", "/api/identity/tokens"} <= set(paths)
