"""What becomes of an order: confirmed, declined, cancelled, sent twice."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.system.shop import Caller, Shop, assert_problem, new_key, until


def test_an_order_is_confirmed_charged_and_taken_from_the_shelf(shop: Shop, customer: Caller, isbns: list[str]) -> None:
    before = [shop.available(isbn) for isbn in isbns[:2]]
    path = customer.accepted([(isbns[0], 2), (isbns[1], 1)])
    order = customer.final(path)
    prices = [shop.book(isbn).json()["price"]["amount"] for isbn in isbns[:2]]
    assert (order["state"], order["reason"]) == ("confirmed", None)
    assert order["customer_id"] == customer.id
    assert order["price_source"] == "catalog"
    assert order["total"] == {"amount": 2 * prices[0] + prices[1], "currency": "EUR"}
    assert [shop.available(isbn) for isbn in isbns[:2]] == [before[0] - 2, before[1] - 1]
    payment = customer.http.get(f"/api/payments/{order['id']}").json()
    assert (payment["state"], payment["amount"]) == ("charged", order["total"]["amount"])


def test_the_history_tells_each_step_and_the_list_shows_the_order(customer: Caller, isbns: list[str]) -> None:
    path = customer.accepted([(isbns[0], 1)])
    order = customer.final(path)
    history = customer.http.get(f"{path}/history").json()["items"]
    assert [e["event"] for e in history] == ["placed", "stock-reserved", "card-charged", "stock-committed", "confirmed"]
    assert [e["at"] for e in history] == sorted(e["at"] for e in history)
    assert order in customer.orders()
    assert order["id"] in [
        o["id"] for o in customer.http.get("/api/orders", params={"state": "confirmed"}).json()["items"]
    ]


def test_the_list_pages_from_the_newest_to_the_oldest(shop: Shop, isbns: list[str]) -> None:
    reader = shop.register()
    placed = [reader.final(reader.accepted([(isbns[0], 1)]))["id"] for _ in range(3)]
    first = reader.http.get("/api/orders", params={"limit": 2}).json()
    second = reader.http.get("/api/orders", params={"limit": 2, "cursor": first["next_cursor"]}).json()
    assert [order["id"] for order in first["items"] + second["items"]] == placed[::-1]
    assert second["next_cursor"] is None


@pytest.mark.parametrize(("card", "reason"), [("tok_declined", "insufficient_funds"), ("tok_stolen", "stolen_card")])
def test_a_declined_card_cancels_the_order_and_gives_the_stock_back(
    shop: Shop, customer: Caller, isbns: list[str], card: str, reason: str
) -> None:
    before = shop.available(isbns[2])
    order = customer.final(customer.accepted([(isbns[2], 3)], card))
    assert (order["state"], order["reason"]) == ("cancelled", reason)
    assert shop.available(isbns[2]) == before
    assert customer.http.get(f"/api/payments/{order['id']}").json()["state"] == "declined"


def test_an_order_of_more_than_there_is_is_cancelled_and_nothing_charged(
    shop: Shop, customer: Caller, operator: Caller, isbns: list[str]
) -> None:
    isbn = "9799001999994"
    operator.http.put(
        f"/api/catalog/books/{isbn}",
        json={"title": "The Rarest", "author": "N. N.", "year": 1900, "price": {"amount": 100, "currency": "EUR"}},
        headers={"If-None-Match": "*"},
    )
    receipt = operator.http.post(
        f"/api/inventory/stock/{isbn}/receipts", json={"quantity": 1}, headers={"Idempotency-Key": "first-delivery"}
    )
    assert receipt.status_code == 201, receipt.text
    before = shop.available(isbns[0])
    order = customer.final(customer.accepted([(isbns[0], 1), (isbn, 100)]))
    assert (order["state"], order["reason"]) == ("cancelled", "out-of-stock")
    assert shop.available(isbns[0]) == before
    assert_problem(customer.http.get(f"/api/payments/{order['id']}"), 404, "not-found")


def test_a_lost_answer_of_the_card_processor_is_asked_for_and_charges_once(customer: Caller, isbns: list[str]) -> None:
    order = customer.final(customer.accepted([(isbns[0], 1)], "tok_answer_lost"))
    assert order["state"] == "confirmed"
    payment = customer.http.get(f"/api/payments/{order['id']}").json()
    assert (payment["state"], payment["amount"]) == ("charged", order["total"]["amount"])


@pytest.mark.parametrize("card", ["tok_slow", "tok_unavailable_once"])
def test_a_slow_or_absent_card_processor_delays_the_order_and_no_more(
    customer: Caller, isbns: list[str], card: str
) -> None:
    assert customer.final(customer.accepted([(isbns[0], 1)], card))["state"] == "confirmed"


def test_a_cancelled_order_costs_nothing(shop: Shop, customer: Caller, isbns: list[str]) -> None:
    before = shop.available(isbns[3])
    # The slow card keeps the saga from reaching its pivot before the cancellation.
    path = customer.accepted([(isbns[3], 2)], "tok_slow")
    assert customer.http.post(f"{path}/cancellation").status_code == 202
    assert customer.http.post(f"{path}/cancellation").status_code == 202
    order = customer.final(path)
    assert (order["state"], order["reason"]) == ("cancelled", "cancelled by the customer")
    assert shop.available(isbns[3]) == before
    payment = customer.http.get(f"/api/payments/{order['id']}")
    assert payment.status_code == 404 or payment.json()["state"] in ("refunded", "voided")


def test_a_confirmed_order_cannot_be_cancelled_any_more(customer: Caller, isbns: list[str]) -> None:
    path = customer.accepted([(isbns[0], 1)])
    confirmed = customer.final(path)
    assert_problem(customer.http.post(f"{path}/cancellation"), 409, "too-late-to-cancel")
    assert customer.http.get(path).json() == confirmed


def test_the_same_key_and_body_get_the_same_answer(customer: Caller, isbns: list[str]) -> None:
    key = new_key()
    first = customer.place([(isbns[0], 1)], key=key)
    customer.final(first.headers["Location"])
    again = customer.place([(isbns[0], 1)], key=key)
    assert (again.status_code, again.content) == (202, first.content)
    assert again.headers["Location"] == first.headers["Location"]


def test_the_same_order_sent_eight_times_at_once_is_one_order(customer: Caller, isbns: list[str]) -> None:
    key, before = new_key(), len(customer.orders())
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: customer.place([(isbns[0], 1)], key=key), range(8)))
    for answer in answers:
        if answer.status_code == 409:
            assert_problem(answer, 409, "request-in-progress")
        else:
            assert answer.status_code == 202, answer.text
    accepted = {answer.json()["id"] for answer in answers if answer.status_code == 202}
    assert len(accepted) == 1
    path = f"/api/orders/{accepted.pop()}"
    assert customer.final(path)["state"] == "confirmed"
    assert len(customer.orders()) == before + 1
    last = until(lambda: _accepted(customer, isbns[0], key), "the key is still in progress")
    assert last == path


def _accepted(customer: Caller, isbn: str, key: str) -> str | None:
    location: str | None = customer.place([(isbn, 1)], key=key).headers.get("Location")
    return location
