"""Messages in and out of bridge: names on the wire, what is read of foreign messages, and who handles them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from pydantic import AwareDatetime, BaseModel

from bridge import observe
from bridge.application import WriteBack
from bridge.domain import (
    CANCELLED,
    CONFIRMED,
    LEGACY,
    SHOP,
    BookTold,
    CustomerTold,
    OrderTold,
    ProductUnknown,
    ShopBook,
    ShopLine,
    ShopOrder,
    StockTold,
    Told,
    message_id,
)
from chassis.consumer import Handler, Retry
from chassis.messages import Heard, Message

BOOK_CHANGED = "shop.catalog.book-changed.v1"
ORDER_CONFIRMED = "shop.orders.order-confirmed.v1"
ORDER_CANCELLED = "shop.orders.order-cancelled.v1"
ASK_AGAIN = 2.0  # seconds: a book on its way comes soon, and for one that never comes this goes on for ever

_TYPES: Mapping[type[Told], str] = {
    BookTold: "shop.bridge.legacy-book-changed.v1",
    CustomerTold: "shop.bridge.legacy-customer-changed.v1",
    OrderTold: "shop.bridge.legacy-order-changed.v1",
    StockTold: "shop.bridge.legacy-stock-received.v1",
}
_STATUS = {ORDER_CONFIRMED: CONFIRMED, ORDER_CANCELLED: CANCELLED}


class Amount(Heard):
    amount: int


class OrderLine(Heard):
    isbn: str
    quantity: int
    unit_price: Amount


class OrderEndedData(Heard):
    order_id: UUID
    number: int
    customer_id: UUID
    lines: tuple[OrderLine, ...]
    total: Amount
    placed_at: AwareDatetime
    origin: str = SHOP


class BookChangedData(Heard):
    number: int
    isbn: str
    title: str
    author: str
    year: int
    price: Amount
    version: int
    origin: str
    legacy_version: int


CONSUMES: Mapping[str, type[BaseModel]] = {
    ORDER_CONFIRMED: OrderEndedData,
    ORDER_CANCELLED: OrderEndedData,
    BOOK_CHANGED: BookChangedData,
}
PRODUCES: tuple[str, ...] = tuple(_TYPES.values())


@dataclass(frozen=True)
class Outgoing:
    """A message ready to be published; `aggregate` is what it tells of, `at` when that came about."""

    aggregate: str
    at: datetime
    message: Message


def outgoing(told: Told, subject: str, data: Mapping[str, Any], at: datetime) -> Outgoing:
    """The message that tells of it: the same id each time, so that to publish it twice is to publish it once."""
    name = _TYPES[type(told)]
    id = message_id(at, name, subject, told.version)
    return Outgoing(subject, at, Message(id, name, "/bridge", subject, told.version, at, data))


def handlers(write_back: WriteBack) -> Mapping[str, Handler]:
    """Subject to handler, for the consumer. What came from the old shop is there already."""

    async def on_order_ended(message: Message) -> None:
        data = OrderEndedData.model_validate(message.data)
        if data.origin == LEGACY:
            return
        try:
            missing = await write_back.order_ended(_order(data, _STATUS[message.type]), message.id)
        except ProductUnknown as error:
            raise Retry(ASK_AGAIN, str(error)) from error
        observe.OVERSOLD.inc(missing)
        _applied(message, "order")

    async def on_book_changed(message: Message) -> None:
        data = BookChangedData.model_validate(message.data)
        if data.origin != LEGACY:
            changed = await write_back.book_changed(_book(data), message.id)
            _applied(message, "book" if changed else "older")

    return {ORDER_CONFIRMED: on_order_ended, ORDER_CANCELLED: on_order_ended, BOOK_CHANGED: on_book_changed}


def _order(data: OrderEndedData, status: str) -> ShopOrder:
    lines = tuple(ShopLine(line.isbn, line.quantity, line.unit_price.amount) for line in data.lines)
    return ShopOrder(data.order_id, data.number, data.customer_id, status, data.total.amount, data.placed_at, lines)


def _book(data: BookChangedData) -> ShopBook:
    return ShopBook(
        data.number,
        data.isbn,
        data.title,
        data.author,
        data.year,
        data.price.amount,
        data.version,
        data.legacy_version,
    )


def _applied(message: Message, outcome: str) -> None:
    observe.APPLIED.labels(outcome).inc()
    observe.DELAY.labels(observe.TO_LEGACY).observe(max(0.0, (datetime.now(UTC) - message.time).total_seconds()))
