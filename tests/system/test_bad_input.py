"""Bad input is answered with a problem document of a stable type, and changes nothing."""

import http.client
import json
import uuid
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from tests.system.shop import PROBLEM, Caller, Shop, assert_problem, new_key

GOOD = "9799001000010"
NOBODYS = "9799001999987"


@pytest.fixture(autouse=True)
def _nothing_changes(shop: Shop, customer: Caller) -> Iterator[None]:
    """Orders and stock are afterwards what they were before."""
    before = (customer.orders(), shop.available(GOOD))
    yield
    assert (customer.orders(), shop.available(GOOD)) == before


def _order(**changes: Any) -> dict[str, Any]:
    return {"lines": [{"isbn": GOOD, "quantity": 1}], "card_token": "tok_ok", **changes}


def _line(**changes: Any) -> dict[str, Any]:
    return _order(lines=[{"isbn": GOOD, "quantity": 1, **changes}])


UNPROCESSABLE = {
    "zero copies": _line(quantity=0),
    "less than no copies": _line(quantity=-1),
    "more copies than anybody wants": _line(quantity=10**12),
    "half a copy": _line(quantity=0.5),
    "a quantity in words": _line(quantity="1"),
    "a quantity that is true": _line(quantity=True),
    "an unknown field": _order(discount=100),
    "an unknown field in a line": _line(unit_price=1),
    "no lines": _order(lines=[]),
    "too many lines": _order(lines=[{"isbn": GOOD, "quantity": 1}] * 1000),
    "a book in two lines": _order(lines=[{"isbn": GOOD, "quantity": 1}, {"isbn": GOOD, "quantity": 2}]),
    "an ISBN with a wrong check digit": _line(isbn="9799001000011"),
    "an ISBN that is none": _line(isbn="'; DROP TABLE orders; --"),
    "NUL in the card token": _order(card_token="tok_\x00"),
    "a card number": _order(card_token="4111111111111111"),
    "no card": {"lines": [{"isbn": GOOD, "quantity": 1}]},
    "null": _order(lines=None),
    "a list instead of an object": [_order()],
}


@pytest.mark.parametrize("body", UNPROCESSABLE.values(), ids=UNPROCESSABLE.keys())
def test_an_order_that_does_not_fit_the_contract_is_unprocessable(customer: Caller, body: object) -> None:
    answer = customer.http.post("/api/orders", json=body, headers={"Idempotency-Key": new_key()})
    problem = assert_problem(answer, 422, "unprocessable")
    assert problem["errors"]
    assert all({"loc", "msg", "type"} <= set(error) for error in problem["errors"])


def test_a_book_that_is_not_in_the_catalogue_is_unprocessable(customer: Caller) -> None:
    assert_problem(customer.place([(NOBODYS, 1)]), 422, "unknown-book")


def test_a_used_key_with_another_body_is_refused(customer: Caller, shop: Shop) -> None:
    reader, key = shop.register(), new_key()
    first = reader.place([(GOOD, 1)], card="tok_declined", key=key)
    assert first.status_code == 202
    assert_problem(reader.place([(GOOD, 2)], card="tok_declined", key=key), 422, "idempotency-key-reused")
    reader.final(first.headers["Location"])
    assert len(reader.orders()) == 1


@pytest.mark.parametrize(
    ("key", "status", "slug"),
    [(None, 400, "idempotency-key-missing"), ("", 422, "unprocessable"), ("k" * 129, 422, "unprocessable")],
)
def test_a_missing_or_impossible_key_is_refused(customer: Caller, key: str | None, status: int, slug: str) -> None:
    headers = {} if key is None else {"Idempotency-Key": key}
    assert_problem(customer.http.post("/api/orders", json=_order(), headers=headers), status, slug)


UNREADABLE = {
    "no JSON": b"{lines: 1}",
    "half of a JSON": b'{"lines": [',
    "deep JSON": b"[" * 30_000,
    "deep JSON that ends": b"[" * 15_000 + b"]" * 15_000,
    "nothing": b"",
    "no UTF-8": b'{"card_token": "\xff\xfe"}',
    "deep objects": b'{"a":' * 8_000 + b"1" + b"}" * 8_000,
}


@pytest.mark.parametrize("content", UNREADABLE.values(), ids=UNREADABLE.keys())
def test_a_body_that_cannot_be_read_is_refused(customer: Caller, content: bytes) -> None:
    headers = {"Idempotency-Key": new_key(), "Content-Type": "application/json"}
    answer = customer.http.post("/api/orders", content=content, headers=headers)
    assert answer.status_code in (400, 422), answer.text
    assert_problem(answer, answer.status_code, "malformed-request" if answer.status_code == 400 else "unprocessable")


def test_a_body_of_10_mb_is_too_large_whether_its_length_is_declared_or_not(customer: Caller) -> None:
    headers = {"Idempotency-Key": new_key(), "Content-Type": "application/json"}
    body = b" " * 10_000_000
    for content in (body, (body[n : n + 100_000] for n in range(0, len(body), 100_000))):
        try:
            answer = customer.http.post("/api/orders", content=content, headers=headers)
        except (httpx.WriteError, httpx.RemoteProtocolError):
            continue  # refused in the middle of it: the connection was closed before the answer could be read
        assert_problem(answer, 413, "payload-too-large")


def test_a_declared_length_of_10_mb_is_refused_before_a_byte_of_it_is_sent(shop: Shop, customer: Caller) -> None:
    connection = _connect(shop)
    connection.putrequest("POST", "/api/orders")
    for name, value in {"Authorization": f"Bearer {customer.token}", "Content-Length": "10000000"}.items():
        connection.putheader(name, value)
    connection.putheader("Idempotency-Key", new_key())
    connection.endheaders()
    assert _problem(connection.getresponse()) == (413, "payload-too-large")
    connection.close()


@pytest.mark.parametrize(
    ("authorization", "slug"),
    [
        (None, "unauthenticated"),
        ("Bearer", "unauthenticated"),
        ("Bearer garbage", "unauthenticated"),
        ("Basic dXNlcjpwYXNz", "unauthenticated"),
        ("Bearer " + "a" * 6000, "unauthenticated"),
    ],
)
def test_without_a_token_there_is_no_order(shop: Shop, authorization: str | None, slug: str) -> None:
    headers = {"Idempotency-Key": new_key()}
    if authorization is not None:
        headers["Authorization"] = authorization
    answer = shop.client().post("/api/orders", json=_order(), headers=headers)
    assert_problem(answer, 401, slug)
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


def test_a_forged_token_is_no_token(shop: Shop, customer: Caller) -> None:
    head, payload, signature = customer.token.split(".")
    flipped = signature[:-4] + ("AAAA" if signature[-4:] != "AAAA" else "BBBB")
    unsigned = "eyJhbGciOiJub25lIiwidHlwIjoiYXQrand0In0"
    for forged in (f"{head}.{payload}.{flipped}", f"{unsigned}.{payload}.", f"{head}.{payload[:-4]}AAAA.{signature}"):
        for path in ("/api/orders", "/api/identity/me", f"/api/payments/{uuid.uuid4()}"):
            answer = shop.client().get(path, headers={"Authorization": f"Bearer {forged}"})
            assert_problem(answer, 401, "unauthenticated")


def test_another_customers_order_does_not_exist(shop: Shop, stranger: Caller, customer: Caller) -> None:
    path = stranger.accepted([(GOOD, 1)], "tok_declined")
    order = stranger.final(path)
    for answer in (
        customer.http.get(path),
        customer.http.get(f"{path}/history"),
        customer.http.post(f"{path}/cancellation"),
        customer.http.get(f"/api/payments/{order['id']}"),
        customer.http.get(f"/api/orders/{uuid.uuid4()}"),
    ):
        assert_problem(answer, 404, "not-found")
    assert stranger.http.get(path).json() == order


def test_a_customer_is_no_operator(customer: Caller) -> None:
    price = {"amount": 1, "currency": "EUR"}
    book = {"title": "T", "author": "A", "year": 1900, "price": price}
    for answer in (
        customer.http.put(f"/api/catalog/books/{GOOD}/price", json=price, headers={"If-Match": '"1"'}),
        customer.http.put(f"/api/catalog/books/{NOBODYS}", json=book, headers={"If-None-Match": "*"}),
        customer.http.post(
            f"/api/inventory/stock/{GOOD}/receipts", json={"quantity": 1}, headers={"Idempotency-Key": new_key()}
        ),
        customer.http.post("/api/identity/keys"),
    ):
        assert_problem(answer, 403, "forbidden")


def test_headers_that_name_an_identity_are_worth_nothing(shop: Shop) -> None:
    claimed = {"X-Caller-Id": str(uuid.uuid4()), "X-Caller-Roles": "operator", "Idempotency-Key": new_key()}
    assert_problem(shop.client().get("/api/orders", headers=claimed), 401, "unauthenticated")


@pytest.mark.parametrize(
    "target",
    ["/api/catalog/books?limit=0", "/api/catalog/books?limit=1000000", "/api/catalog/books?cursor=%F0%9F%92%A9",
     "/api/catalog/books?q=" + "a" * 500, "/api/catalog/books/9799001000011", "/api/catalog/prices",
     "/api/catalog/prices?isbn=1", "/api/inventory/stock/123", "/api/orders?state=lost", "/api/orders?cursor=AAAA",
     "/api/orders?limit=-1", "/api/orders/42", "/api/payments/42"],
)  # fmt: skip
def test_a_question_that_does_not_fit_the_contract_is_unprocessable(customer: Caller, target: str) -> None:
    answer = customer.http.get(target)
    assert answer.status_code == 422, answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"


def test_a_wrong_password_and_a_taken_address_are_refused(shop: Shop, customer: Caller) -> None:
    login = {"email": customer.email, "password": "wrong password"}
    assert_problem(shop.client().post("/api/identity/tokens", json=login), 401, "invalid-credentials")
    taken = {"email": customer.email, "password": "another password", "name": "Somebody Else"}
    assert_problem(shop.client().post("/api/identity/customers", json=taken), 409, "email-taken")
    weak = {"email": "weak@example.com", "password": "short", "name": "Weak"}
    assert_problem(shop.client().post("/api/identity/customers", json=weak), 422, "unprocessable")
    assert shop.log_in(customer.email, customer.password).token


NOT_FOUND = ["/api/nowhere", "/", "/v1/charges", "/healthz/../api/orders", "/api", "/api/ordersX", "/metrics-of-orders"]


@pytest.mark.parametrize("path", NOT_FOUND)
def test_an_unknown_path_is_not_found(shop: Shop, path: str) -> None:
    assert_problem(shop.client().get(path.replace("..", "__")), 404, "not-found")


@pytest.mark.parametrize(
    "target",
    ["/api/catalog/../orders", "/api/catalog/%2e%2e/orders", "//api/orders", "/api//orders", "/api/catalog%2Fbooks",
     "/api/catalog/books/%00", "/api/./orders", "/api/catalog/..%2forders", "http://127.0.0.1:1/api/orders"],
)  # fmt: skip
def test_a_target_that_two_parsers_could_read_differently_is_refused(shop: Shop, target: str) -> None:
    connection = _connect(shop)
    connection.putrequest("GET", target, skip_accept_encoding=True)
    connection.endheaders()
    assert _problem(connection.getresponse()) == (400, "malformed-request")
    connection.close()


def test_a_method_that_does_not_apply_is_refused(customer: Caller) -> None:
    answer = customer.http.delete("/api/orders")
    assert_problem(answer, 405, "method-not-allowed")


def _connect(shop: Shop) -> http.client.HTTPConnection:
    address = urlsplit(shop.url)
    return http.client.HTTPConnection(address.hostname or "", address.port, timeout=10)


def _problem(answer: http.client.HTTPResponse) -> tuple[int, str]:
    document = json.loads(answer.read())
    assert answer.getheader("Content-Type") == "application/problem+json"
    return answer.status, str(document["type"]).removeprefix(PROBLEM)
