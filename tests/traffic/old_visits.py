"""What a customer of the old shop does: looks round, buys by the old API or in a browser, and looks back."""

import random
import re
import secrets
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from tests.traffic.old_shop import GOOD_CARD, Customer, OldShop, SoldOut

COUNT = 100
LISTED = 50  # of one customer by the old shop: those with the highest numbers


class Lost(Exception):
    """An order that the shop had accepted is not where it should be."""


@dataclass(frozen=True)
class Product:
    """A book as the old shop lists it."""

    id: int
    title: str


class Visits:
    """The visits of any number of customers; each raises `Refused` or `Lost` at the first thing that is wrong."""

    def __init__(self, shop: OldShop, products: Sequence[Product], chance: random.Random) -> None:
        self._shop = shop
        self._products = list(products)
        self._random = chance
        self.sold_out: list[int] = []
        self.kinds: dict[str, Callable[[Customer], Awaitable[None]]] = {
            "browse": self._browse,
            "product": self._product,
            "search": self._search,
            "front page": self._front_page,
            "search page": self._search_page,
            "book page": self._book_page,
            "orders": self._orders,
            "order": self._order,
            "buy": self._buy,
            "buy in a browser": self._buy_in_a_browser,
            "orders page": self._orders_page,
            "log in": self._log_in,
            "register": self._register,
        }

    async def visit(self, customer: Customer) -> None:
        """Look round, buy, look back."""
        kinds = ["search", "product", self._random.choice(("buy", "buy", "buy in a browser")), "orders"]
        for kind in kinds:
            await self.kinds[kind](customer)

    async def begin(self, customer: Customer) -> None:
        """An account, a session in a browser, and a first order."""
        await register(self._shop, customer)
        await self._log_in(customer)
        await self._buy(customer)

    async def _browse(self, _: Customer) -> None:
        start = self._random.choice(self._products).id
        await self._shop.api("browse", "GET", "products", query={"start": str(start), "count": "20"})

    async def _product(self, _: Customer) -> None:
        await self._shop.api("product", "GET", f"products/{self._random.choice(self._products).id}")

    async def _search(self, _: Customer) -> None:
        await self._shop.api("search", "GET", "products", query={"q": self._word()})

    async def _front_page(self, customer: Customer) -> None:
        async with customer.lock:
            await self._shop.page("front page", "GET", "", customer)

    async def _search_page(self, customer: Customer) -> None:
        async with customer.lock:
            await self._shop.page("search page", "GET", "search", customer, query={"q": self._word()})

    async def _book_page(self, customer: Customer) -> None:
        async with customer.lock:
            await self._shop.page("book page", "GET", f"book/{self._random.choice(self._products).id}", customer)

    async def _orders(self, customer: Customer) -> None:
        expected = set(customer.orders)  # of before: what is bought meanwhile may be listed or not
        found = await self._shop.api("orders", "GET", "orders", customer)
        missing = expected - {order["id"] for order in found["orders"]}
        if missing and len(found["orders"]) < LISTED:
            raise Lost(f"orders {sorted(missing)} are not in the list of their customer")

    async def _order(self, customer: Customer) -> None:
        if customer.orders:
            await self._shop.api("order", "GET", f"orders/{self._random.choice(customer.orders[-20:])}", customer)

    async def _buy(self, customer: Customer) -> None:
        items = [{"id": self._random.choice(self._products).id, "qty": self._random.randint(1, 2)}]
        try:
            bought = await self._shop.api("buy", "POST", "orders", customer, {"items": items, "card": GOOD_CARD})
        except SoldOut as error:
            self._strike(error.product)
            return
        customer.orders.append(bought["order"]["id"])

    async def _buy_in_a_browser(self, customer: Customer) -> None:
        product = self._random.choice(self._products)
        async with customer.lock:
            await self._shop.page("book page", "GET", f"book/{product.id}", customer)
            form = {"id": str(product.id), "qty": "1"}
            await self._shop.page("basket", "POST", "basket", customer, form, leads_to="basket")
            await self._shop.page("checkout page", "GET", "checkout", customer)
            try:
                sent_to = await self._shop.page(
                    "check out", "POST", "checkout", customer, {"card": GOOD_CARD}, leads_to="orders/"
                )
            except SoldOut as error:
                self._strike(error.product)
                form = {"id": str(error.product), "qty": "0"}
                await self._shop.page("basket", "POST", "basket", customer, form, leads_to="basket")
                return
        found = re.fullmatch(r"/legacy/orders/(\d+)", sent_to.location or "")
        if found is None:
            raise Lost(f"checked out, and sent to {sent_to.location}")
        customer.orders.append(int(found.group(1)))

    async def _orders_page(self, customer: Customer) -> None:
        async with customer.lock:
            await self._shop.page("orders page", "GET", "orders", customer)

    async def _log_in(self, customer: Customer) -> None:
        async with customer.lock:
            await self._shop.page("login page", "GET", "login", customer)
            form = {"email": customer.email, "password": customer.password}
            await self._shop.page("log in", "POST", "login", customer, form, leads_to="")

    async def _register(self, _: Customer) -> None:
        await register(self._shop, new_customer("passing"))

    def _strike(self, product: int) -> None:
        """Nobody asks for a book again that has just been sold out."""
        self.sold_out.append(product)
        self._products = [each for each in self._products if each.id != product] or self._products

    def _word(self) -> str:
        found = re.findall(r"\w{4,}", self._random.choice(self._products).title)
        return self._random.choice(found) if found else "the"


def new_customer(name: str) -> Customer:
    """Somebody whom the shop does not know yet."""
    return Customer(f"{name}-{secrets.token_hex(6)}@example.com", secrets.token_urlsafe(12))


async def register(shop: OldShop, customer: Customer) -> None:
    """Make the account."""
    body = {"email": customer.email, "name": customer.name, "password": customer.password}
    await shop.api("register", "POST", "register", body=body)


async def products_of(shop: OldShop) -> list[Product]:
    """The whole list of the old shop."""
    found: list[Any] = []
    start: int | None = 0
    while start is not None:
        page = await shop.api("browse", "GET", "products", query={"start": str(start), "count": str(COUNT)})
        found += page["products"]
        start = page["next"]
    return [Product(each["id"], each["title"]) for each in found]
