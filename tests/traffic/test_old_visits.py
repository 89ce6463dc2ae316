"""What a customer of the old shop does about a book that somebody else has just bought."""

import random
from collections.abc import Mapping
from typing import Any

from tests.traffic.old_shop import Customer, OldShop, Page, SoldOut
from tests.traffic.old_visits import Product, Visits


class _Shelf(OldShop):
    """A shop that has none left of book 1, and everything else in plenty; it keeps what was asked of it."""

    def __init__(self) -> None:
        super().__init__("http://127.0.0.1:1")
        self.bought: list[int] = []
        self.in_basket: dict[str, str] = {}

    async def api(
        self,
        operation: str,
        method: str,
        path: str,
        customer: Customer | None = None,
        body: Any = None,
        query: Mapping[str, str] | None = None,
    ) -> Any:
        wanted = body["items"][0]["id"]
        self._take(wanted)
        return {"order": {"id": len(self.bought)}}

    async def page(
        self,
        operation: str,
        method: str,
        path: str,
        customer: Customer,
        form: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
        *,
        leads_to: str | None = None,
    ) -> Page:
        if operation == "basket" and form is not None:
            self.in_basket[form["id"]] = form["qty"]
        if operation == "check out":
            self._take(int(next(book for book, quantity in self.in_basket.items() if quantity != "0")))
        return Page(302, "", f"/legacy/orders/{len(self.bought)}")

    def _take(self, book: int) -> None:
        if book == 1:
            raise SoldOut(1)
        self.bought.append(book)


async def _bought(kind: str) -> tuple[_Shelf, Visits, Customer]:
    shop, customer = _Shelf(), Customer("a@example.com", "secret")
    visits = Visits(shop, [Product(1, "rare"), Product(2, "common")], random.Random(3))
    for _ in range(20):
        await visits.kinds[kind](customer)
    return shop, visits, customer


async def test_a_book_that_is_sold_out_is_asked_for_once() -> None:
    shop, visits, customer = await _bought("buy")

    assert visits.sold_out == [1]
    assert set(shop.bought) == {2}
    assert len(customer.orders) == 19


async def test_a_book_that_is_sold_out_does_not_stay_in_the_basket() -> None:
    shop, visits, customer = await _bought("buy in a browser")

    assert visits.sold_out == [1]
    assert shop.in_basket["1"] == "0"
    assert len(customer.orders) == 19
