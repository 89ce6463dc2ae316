"""An order between the old contract and the saga: what is sent, what is waited for, what the customer is told."""

from collections.abc import Callable

import httpx
import pytest

from chassis.http_client import OutcomeUnknown
from facade.adapters.checkout import LONGEST_SECONDS, PATIENCE_SECONDS, Checkout
from facade.adapters.errors import CardProcessorDown, NoSuchOrder, NoSuchProduct, NotEnoughStock
from facade.adapters.orders import LISTED_ORDERS, Orders
from facade.ports import CannotAnswer
from facade.shop_clients import ShopClients
from services.facade.tests.adapters.both_shops import Noted
from services.facade.tests.adapters.conftest import PASSWORD, SOLD_OUT
from services.facade.tests.adapters.new_shop import Account, NewShop
from services.facade.tests.adapters.test_credentials import Time

TOKEN, ITEMS = "token-of-1", [(3, 2), (12, 1)]
PLACE = ("POST", "/api/orders")


@pytest.fixture(autouse=True)
def ann(shop: NewShop) -> None:
    shop.accounts.append(Account(1, "ann@example.com", "Ann", PASSWORD))


@pytest.fixture
def passing() -> Time:
    return Time()


@pytest.fixture
def checkout(clients: ShopClients, noted: Noted, passing: Time) -> Checkout:
    return Checkout(clients, noted, clock=passing, sleep=passing.sleep)


async def test_an_order_is_waited_for_until_it_has_ended(shop: NewShop, checkout: Checkout, noted: Noted) -> None:
    shop.looks = 5
    order = await checkout.buy(TOKEN, ITEMS, "tok_ok")
    assert (order["id"], order["status"]) == (1, "P")
    assert noted.numbers == [1]


async def test_an_order_whose_answer_was_lost_is_sent_again_under_its_key(shop: NewShop, checkout: Checkout) -> None:
    shop.lost = 2
    assert (await checkout.buy(TOKEN, ITEMS, "tok_ok"))["status"] == "P"
    keys = {each.headers["Idempotency-Key"] for each in shop.calls(*PLACE)}
    assert (len(shop.calls(*PLACE)), len(keys), len(shop.orders)) == (3, 1, 1)


async def test_two_orders_of_a_customer_have_two_keys(shop: NewShop, checkout: Checkout) -> None:
    for _ in range(2):
        await checkout.buy(TOKEN, ITEMS, "tok_ok")
    assert len({each.headers["Idempotency-Key"] for each in shop.calls(*PLACE)}) == 2


async def test_nobody_knows_what_became_of_an_order_that_was_never_answered(shop: NewShop, checkout: Checkout) -> None:
    shop.lost = 9
    with pytest.raises(OutcomeUnknown):
        await checkout.buy(TOKEN, ITEMS, "tok_ok")


async def test_an_order_that_was_never_sent_has_certainly_not_happened(
    shop: NewShop, checkout: Checkout, noted: Noted
) -> None:
    shop.down.add("orders")
    with pytest.raises(CannotAnswer):
        await checkout.buy(TOKEN, ITEMS, "tok_ok")
    assert noted.numbers == []


async def test_an_accepted_order_is_told_of_whatever_else_breaks(
    shop: NewShop, checkout: Checkout, passing: Time
) -> None:
    passing.wakes = lambda: shop.down.update({"catalog", "inventory"})
    assert (await checkout.buy(TOKEN, ITEMS, "tok_ok"))["status"] == "P"
    shop.down.clear()
    with pytest.raises(NotEnoughStock, match="not enough stock of 3"):
        await checkout.buy(TOKEN, [(SOLD_OUT, 1), (3, 1)], "tok_ok")


async def test_looks_that_fail_do_not_lose_an_order(shop: NewShop, checkout: Checkout, passing: Time) -> None:
    shop.looks = 3
    waking = iter([lambda: shop.down.add("orders"), lambda: None, shop.down.clear])
    passing.wakes = lambda: next(waking, lambda: None)()
    assert (await checkout.buy(TOKEN, ITEMS, "tok_ok"))["status"] == "P"


async def test_an_order_that_does_not_end_is_cancelled_and_the_card_was_not_charged(
    shop: NewShop, checkout: Checkout, passing: Time, noted: Noted
) -> None:
    shop.stuck = True
    began = passing.seconds
    with pytest.raises(CardProcessorDown):
        await checkout.buy(TOKEN, ITEMS, "tok_ok")
    assert PATIENCE_SECONDS <= passing.seconds - began < LONGEST_SECONDS
    assert noted.numbers == [1]


async def test_an_order_that_cannot_even_be_cancelled_is_unknown_and_noted(
    shop: NewShop, checkout: Checkout, passing: Time, noted: Noted
) -> None:
    shop.stuck = True
    passing.wakes = lambda: shop.down.add("orders")
    began = passing.seconds
    with pytest.raises(OutcomeUnknown):
        await checkout.buy(TOKEN, ITEMS, "tok_ok")
    assert LONGEST_SECONDS <= passing.seconds - began < LONGEST_SECONDS + 1
    assert noted.numbers == [1]


async def test_the_first_book_that_is_short_is_named(shop: NewShop, checkout: Checkout) -> None:
    shop.stock[shop.books[12]["isbn"]] = 1
    with pytest.raises(NotEnoughStock, match="not enough stock of 5"):
        await checkout.buy(TOKEN, [(12, 2), (3, 1), (SOLD_OUT, 1)], "tok_ok")
    with pytest.raises(NotEnoughStock, match="not enough stock of 12"):
        await checkout.buy(TOKEN, [(12, 2), (3, 1)], "tok_ok")


async def test_a_book_without_a_number_is_refused_before_anything_is_sent(shop: NewShop, checkout: Checkout) -> None:
    with pytest.raises(NoSuchProduct, match="no such product 888"):
        await checkout.buy(TOKEN, [(999, 1), (888, 1)], "tok_ok")
    assert shop.calls(*PLACE) == []


@pytest.mark.parametrize("reason", ["charge-card timed out", "cancelled by the customer", "voided"])
async def test_an_order_that_ended_without_the_cards_word_is_a_processor_that_is_down(
    shop: NewShop, checkout: Checkout, passing: Time, reason: str
) -> None:
    shop.looks = 2
    passing.wakes = lambda: shop.orders[0].update(state="cancelled", reason=reason)
    with pytest.raises(CardProcessorDown):
        await checkout.buy(TOKEN, ITEMS, "tok_ok")


async def test_no_more_orders_are_listed_than_by_the_old_shop(shop: NewShop, clients: ShopClients) -> None:
    for _ in range(LISTED_ORDERS + 5):
        shop._accept(
            shop.accounts[0], {"lines": [{"isbn": shop.books[3]["isbn"], "quantity": 1}], "card_token": "tok_ok"}
        )
    listed = [order["id"] for order in await Orders(clients).newest(TOKEN)]
    assert listed == list(range(LISTED_ORDERS + 5, 5, -1))


async def test_an_order_under_way_is_not_there_yet(shop: NewShop, clients: ShopClients, checkout: Checkout) -> None:
    await checkout.buy(TOKEN, ITEMS, "tok_ok")
    shop.orders[0] |= {"state": "cancelling", "reason": "out-of-stock"}
    assert await Orders(clients).newest(TOKEN) == []
    with pytest.raises(NoSuchOrder):
        await Orders(clients).order(TOKEN, 1)


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (lambda: httpx.Response(500), OutcomeUnknown),
        (lambda: httpx.Response(409), OutcomeUnknown),
        (lambda: httpx.Response(401), CannotAnswer),
        (lambda: httpx.Response(202, json={"id": "?"}), OutcomeUnknown),
    ],
)
async def test_only_an_order_that_was_certainly_not_accepted_may_go_to_the_other_side(
    shop: NewShop, checkout: Checkout, answer: Callable[[], httpx.Response], error: type[Exception]
) -> None:
    shop.instead[PLACE[1]] = answer
    with pytest.raises(error):
        await checkout.buy(TOKEN, ITEMS, "tok_ok")
