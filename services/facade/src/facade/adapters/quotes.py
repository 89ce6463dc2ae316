"""What the new side would make of an order that the old shop has taken: a dry run, for the mirror to compare."""

import html
import json
import re
from collections.abc import Sequence
from typing import Any

from facade.adapters import forms, render
from facade.adapters.checkout import Checkout
from facade.adapters.credentials import Customers
from facade.adapters.errors import NoSuchProduct, ShopError
from facade.adapters.forms import Item
from facade.adapters.session import Sessions
from facade.legacy_http import LegacyRequest, LegacyResponse
from facade.ports import CannotAnswer, Upstream
from facade.shop_clients import ShopClients

Tree = dict[str, Any]
_ORDER_PAGE = re.compile(r"/legacy/orders/\d+")
_ITEM = re.compile(
    r'<td><a href="/legacy/book/(\d+)">([^<]*)</a></td><td class="num">([^<]*)</td><td class="num">(\d+)</td>'
)
_TOTAL = re.compile(r'<td class="num"><b>([^<]*)</b></td>')


class OrderQuotes:
    """Both orders without what only one side can know: number, time, and whether the card was good."""

    def __init__(
        self, shop: ShopClients, customers: Customers, checkout: Checkout, sessions: Sessions, old_shop: Upstream
    ) -> None:
        self._shop = shop
        self._customers = customers
        self._checkout = checkout
        self._sessions = sessions
        self._old_shop = old_shop

    async def quote(self, request: LegacyRequest, answer: LegacyResponse) -> tuple[Tree, Tree] | None:
        """The old shop's and the new side's, in one form. None: this answer took no order. Raises `CannotAnswer`."""
        if request.path == "/legacy/api/orders":
            return await self._of_api(request, answer)
        return await self._of_page(request, answer)

    async def _of_api(self, request: LegacyRequest, answer: LegacyResponse) -> tuple[Tree, Tree] | None:
        taken = _order(answer)
        if taken is None:
            return None
        try:
            token = await self._customers.named(request)
            items, _ = forms.wanted(forms.json_body(request))
            return taken, await self._priced(token, items)
        except ShopError as error:
            return taken, {"error": str(error)}

    async def _of_page(self, request: LegacyRequest, answer: LegacyResponse) -> tuple[Tree, Tree] | None:
        address = answer.header("location") or ""
        session = self._sessions.open(request)
        if not _ORDER_PAGE.fullmatch(address) or session.customer is None:
            return None
        cookies = tuple(header for header in request.headers if header[0].lower() == "cookie")
        taken = _order_of_page(await self._old_shop.answer(LegacyRequest("GET", address, headers=cookies)))
        try:
            token = await self._customers.numbered(session.customer)
            return taken, await self._priced(token, sorted(session.basket().items()))
        except ShopError as error:
            return taken, {"error": str(error)}

    async def _priced(self, token: str, items: Sequence[Item]) -> Tree:
        books = await self._checkout.books(items)
        quote = await self._shop.orders.quote(token, [(books[number].isbn, quantity) for number, quantity in items])
        if quote is None:
            raise NoSuchProduct
        names = await self._shop.catalog.names(line.isbn for line in quote.lines)
        return {"items": render.items(quote.lines, names), "total": render.price(quote.total)}


def _order(answer: LegacyResponse) -> Tree | None:
    try:
        found = json.loads(answer.body)
    except ValueError:
        return None
    order = found.get("order") if isinstance(found, dict) else None
    return {"items": order.get("items"), "total": order.get("total")} if isinstance(order, dict) else None


def _order_of_page(answer: LegacyResponse) -> Tree:
    text = answer.body.decode(errors="replace")
    total = _TOTAL.search(text)
    if answer.status != 200 or total is None:
        raise CannotAnswer("the old shop does not show the order that it has taken")
    items = [
        {"id": int(number), "title": html.unescape(title), "qty": int(quantity), "price": price}
        for number, title, price, quantity in _ITEM.findall(text)
    ]
    return {"items": items, "total": total[1]}
