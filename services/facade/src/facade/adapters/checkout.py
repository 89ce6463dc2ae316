"""An order of the old shop, placed with the new services: from numbers to ISBNs, from a saga to one answer."""

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, Sequence
from uuid import uuid4

from chassis.http_client import OutcomeUnknown
from facade.adapters import render
from facade.adapters.errors import CardProcessorDown, NoSuchProduct, NotEnoughStock
from facade.adapters.forms import Item
from facade.adapters.render import Values
from facade.ports import CannotAnswer, Placed
from facade.shop_clients import ShopClients
from facade.shop_clients.books import Book, Name
from facade.shop_clients.orders import Order

# The old shop's customers wait for the end. One that does not come is asked to be the cancellation, which leaves an
# order undone rather than unknown.
PATIENCE_SECONDS, LONGEST_SECONDS = 6.0, 8.0
FIRST_PAUSE, LONGEST_PAUSE = 0.03, 0.25
# Inventory's reasons, by orders as they stand. That of a card is whatever the card's company says.
_NO_STOCK = frozenset({"out-of-stock", "unknown-book", "not-reserved", "released", "expired", "stock-refused"})
_NO_ANSWER = frozenset({"cancelled by the customer", "cancelled", "voided", "refunded"})
_TIMED_OUT = " timed out"
_CARD_TOKEN = re.compile(r"tok_[a-z0-9_]{1,60}")
# Belongs to no card. The old shop sends whatever it is given to the card's company, which does not know it either.
_NO_CARD = "tok_of_no_card"


class Checkout:
    """Places orders. `placed` is told of each as soon as it is accepted, for the customer may hang up then."""

    def __init__(
        self,
        shop: ShopClients,
        placed: Placed,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._shop = shop
        self._placed = placed
        self._clock = clock
        self._sleep = sleep

    async def buy(self, token: str, items: Sequence[Item], card: str) -> Values:
        """The order, paid or refused by the card, as the old shop shows it.

        Raises `NoSuchProduct`, `NotEnoughStock`, `CardProcessorDown` as the old shop does; `CannotAnswer` when nothing
        has happened, `OutcomeUnknown` when it may still be confirmed.
        """
        books = await self.books(items)
        wishes = [(books[number].isbn, quantity) for number, quantity in items]
        known = card if _CARD_TOKEN.fullmatch(card) else _NO_CARD
        order = await self._shop.orders.place(token, str(uuid4()), wishes, known)
        await self._placed.placed(order.number)
        order = await self._ended(token, order)
        if order.state == "cancelled" and not _refused_by_card(order):
            raise await self._refusal(order, books, items)
        return render.order(order, {book.isbn: Name(book.isbn, book.number, book.title) for book in books.values()})

    async def books(self, items: Sequence[Item]) -> dict[int, Book]:
        """What is ordered; raises `NoSuchProduct` for the first, by number, that is not there."""
        books = await self._shop.catalog.books(number for number, _ in items)
        for number, _ in sorted(items):
            if number not in books:
                raise NoSuchProduct(number)
        return books

    async def _ended(self, token: str, order: Order) -> Order:
        begun, pause, cancelling = self._clock(), FIRST_PAUSE, False
        while not order.ended:
            waited = self._clock() - begun
            if waited >= LONGEST_SECONDS:
                raise OutcomeUnknown(f"order {order.number} has not ended")
            if waited >= PATIENCE_SECONDS and not cancelling:
                cancelling = await self._cancel(token, order)
            await self._sleep(pause)
            pause = min(pause * 1.5, LONGEST_PAUSE)
            order = await self._look(token, order)
        return order

    async def _look(self, token: str, order: Order) -> Order:
        try:
            return await self._shop.orders.order(token, order.id)
        except CannotAnswer:
            return order  # it is accepted: there is nothing to be done but to look again

    async def _cancel(self, token: str, order: Order) -> bool:
        try:
            await self._shop.orders.cancel(token, order.id)
        except CannotAnswer:
            return False
        return True

    async def _refusal(self, order: Order, books: dict[int, Book], items: Sequence[Item]) -> Exception:
        if order.reason not in _NO_STOCK:
            return CardProcessorDown()
        # Orders does not say which book it was. Where all are there again, it was one that somebody gave back.
        in_order = sorted(items)
        try:
            available = await self._shop.inventory.available(book.isbn for book in books.values())
        except CannotAnswer:
            available = {}
        short = (number for number, quantity in in_order if available.get(books[number].isbn, 0) < quantity)
        return NotEnoughStock(next(short, in_order[0][0]))


def _refused_by_card(order: Order) -> bool:
    reason = order.reason or ""
    return reason not in _NO_STOCK | _NO_ANSWER and not reason.endswith(_TIMED_OUT)
