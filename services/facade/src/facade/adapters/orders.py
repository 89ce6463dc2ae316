"""The old shop's basket, checkout and orders over orders, catalog and inventory."""

from collections.abc import Sequence

from facade.adapters import forms, render
from facade.adapters.api import told
from facade.adapters.checkout import Checkout
from facade.adapters.credentials import Customers
from facade.adapters.errors import NoSuchOrder, NoSuchProduct, ShopError
from facade.adapters.pages import PageHandler, Pages, Visit, page, sent_to, sorry
from facade.adapters.render import REFUSED, Values
from facade.adapters.routes import Routes
from facade.adapters.session import MAX_QUANTITY
from facade.legacy_http import LegacyRequest, LegacyResponse
from facade.shop_clients import ShopClients
from facade.shop_clients.orders import Order

LISTED_ORDERS = 50


class Orders:
    """A customer's orders that have ended, as the old shop shows them: it has no word for one that is under way.

    Nor for one that was cancelled for another reason than the card; it is `X` as well, as the bridge writes it there.
    """

    def __init__(self, shop: ShopClients) -> None:
        self._shop = shop

    async def newest(self, token: str) -> list[Values]:
        """Those with the highest numbers, as the old shop lists them; they are not always those placed last."""
        return await self._rendered(await self._shop.orders.ended(token, LISTED_ORDERS))

    async def order(self, token: str, number: int) -> Values:
        """One order; raises `NoSuchOrder`."""
        order = await self._shop.orders.numbered(token, number)
        if order is None or not order.ended:
            raise NoSuchOrder
        return (await self._rendered([order]))[0]

    async def _rendered(self, orders: Sequence[Order]) -> list[Values]:
        isbns = {line.isbn for order in orders for line in order.lines}
        names = await self._shop.catalog.names(isbns) if isbns else {}
        return [render.order(order, names) for order in orders]


class OrdersAdapter(Routes):
    """An `Upstream` for all addresses of the orders."""

    def __init__(self, shop: ShopClients, customers: Customers, checkout: Checkout, pages: Pages) -> None:
        self._shop = shop
        self._orders = Orders(shop)
        self._customers = customers
        self._checkout = checkout
        super().__init__(
            {
                "/legacy/basket": {"GET": pages.shown(self._basket), "POST": pages.shown(self._put_into_basket)},
                "/legacy/checkout": {
                    "GET": pages.shown(_ready_to_buy(self._checkout_form)),
                    "POST": pages.shown(_ready_to_buy(self._buy)),
                },
                "/legacy/orders": {"GET": pages.shown(self._my_orders)},
                "/legacy/orders/{id}": {"GET": pages.shown(self._my_order)},
                "/legacy/api/orders": {"GET": told(self._list), "POST": told(self._place)},
                "/legacy/api/orders/{id}": {"GET": told(self._read)},
            }
        )

    async def _place(self, request: LegacyRequest, _: int) -> LegacyResponse:
        token = await self._customers.named(request)
        items, card = forms.wanted(forms.json_body(request))
        order = await self._checkout.buy(token, items, card)
        return render.error("card declined", order=order) if order["status"] == REFUSED else render.answer(order=order)

    async def _list(self, request: LegacyRequest, _: int) -> LegacyResponse:
        return render.answer(orders=await self._orders.newest(await self._customers.named(request)))

    async def _read(self, request: LegacyRequest, number: int) -> LegacyResponse:
        return render.answer(order=await self._orders.order(await self._customers.named(request), number))

    async def _my_orders(self, visit: Visit) -> LegacyResponse:
        if visit.session.customer is None:
            return sent_to("/legacy/login")
        token = await self._customers.numbered(visit.session.customer)
        return page(visit.session, "orders.html", "My orders", orders=await self._orders.newest(token))

    async def _my_order(self, visit: Visit) -> LegacyResponse:
        if visit.session.customer is None:
            return sent_to("/legacy/login")
        token = await self._customers.numbered(visit.session.customer)
        order = await self._orders.order(token, visit.number)
        return page(visit.session, "order.html", f"Order {visit.number}", order=order)

    async def _basket(self, visit: Visit) -> LegacyResponse:
        return await self._basket_page(visit, "basket.html", "Your basket")

    async def _put_into_basket(self, visit: Visit) -> LegacyResponse:
        book = await self._shop.catalog.book(forms.whole_number(visit.form.get("id"), 0))
        if book is None:
            raise NoSuchProduct
        quantity = forms.whole_number(visit.form.get("qty"), MAX_QUANTITY + 1)
        if quantity > MAX_QUANTITY:
            message = f"Sorry: at most {MAX_QUANTITY} of a book."
            return await self._basket_page(visit, "basket.html", "Your basket", message)
        if not visit.session.put_into_basket(book.number, quantity):
            return await self._basket_page(visit, "basket.html", "Your basket", "Sorry: the basket is full.")
        return sent_to("/legacy/basket")

    async def _checkout_form(self, visit: Visit) -> LegacyResponse:
        return await self._basket_page(visit, "checkout.html", "Checkout")

    async def _buy(self, visit: Visit) -> LegacyResponse:
        token = await self._customers.numbered(visit.session.customer or 0)
        items = sorted(visit.session.basket().items())
        try:
            order = await self._checkout.buy(token, items, visit.form.get("card", ""))
        except ShopError as error:
            return await self._basket_page(visit, "checkout.html", "Checkout", sorry(error))
        if order["status"] == REFUSED:
            return await self._basket_page(visit, "checkout.html", "Checkout", "Sorry: card declined.")
        visit.session.empty_basket()
        return sent_to(f"/legacy/orders/{order['id']}")

    async def _basket_page(self, visit: Visit, template: str, title: str, message: str = "") -> LegacyResponse:
        basket = visit.session.basket()
        books = await self._shop.catalog.books(basket)
        lines = [render.basket_line(book, basket[number]) for number, book in books.items()]
        total = render.price(sum(book.price * basket[number] for number, book in books.items()))
        return page(visit.session, template, title, message, lines=lines, total=total)


def _ready_to_buy(handler: PageHandler) -> PageHandler:
    """For somebody who is logged in and has something in the basket."""

    async def checked(visit: Visit) -> LegacyResponse:
        if visit.session.customer is None:
            return sent_to("/legacy/login")
        return await handler(visit) if visit.session.basket() else sent_to("/legacy/basket")

    return checked
