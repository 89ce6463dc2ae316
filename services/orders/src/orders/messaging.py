"""Messages in and out of orders: names on the wire, what is read of foreign messages, and who handles them."""

from collections.abc import Mapping
from typing import Any, Literal
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, PositiveInt

from chassis.consumer import Handler
from chassis.messages import Heard, Message
from orders.application import Orders
from orders.domain import (
    Line,
    Money,
    Order,
    OrderCancelled,
    OrderConfirmed,
    OrderEvent,
    OrderPlaced,
    OrderState,
    Origin,
    Price,
    PriceSource,
)
from orders.saga import Command, Reply

_EVENTS: Mapping[type[OrderEvent], str] = {
    OrderPlaced: "order-placed",
    OrderConfirmed: "order-confirmed",
    OrderCancelled: "order-cancelled",
}
_INVENTORY = (Reply.STOCK_RESERVED, Reply.STOCK_REFUSED, Reply.STOCK_RELEASED, Reply.STOCK_COMMITTED)
_PAYMENTS = (Reply.CARD_CHARGED, Reply.CARD_DECLINED, Reply.CARD_REFUNDED)
BOOK_CHANGED = "shop.catalog.book-changed.v1"
LEGACY_ORDER_CHANGED = "shop.bridge.legacy-order-changed.v1"


class ReplyData(Heard):
    """What the saga reads of any reply."""

    order_id: UUID
    reason: str | None = None


class PriceData(Heard):
    amount: int
    currency: str


class BookChangedData(Heard):
    isbn: str
    title: str
    price: PriceData
    version: int


class LegacyLineData(Heard):
    isbn: str
    title: str
    quantity: PositiveInt
    unit_price: PriceData


class LegacyOrderData(Heard):
    """An order of the old shop, which ends in the request that places it; `version` is the bridge's."""

    order_id: UUID
    number: PositiveInt
    customer_id: UUID
    status: Literal["confirmed", "cancelled"]
    reason: str | None = None
    lines: list[LegacyLineData]
    total: PriceData
    placed_at: AwareDatetime
    version: PositiveInt


_REPLIES: Mapping[str, Reply] = {
    **{f"shop.inventory.{reply}.v1": reply for reply in _INVENTORY},
    **{f"shop.payments.{reply}.v1": reply for reply in _PAYMENTS},
}
CONSUMES: Mapping[str, type[BaseModel]] = {
    **dict.fromkeys(_REPLIES, ReplyData),
    BOOK_CHANGED: BookChangedData,
    LEGACY_ORDER_CHANGED: LegacyOrderData,
}
PRODUCES: tuple[str, ...] = tuple(f"shop.orders.{name}.v1" for name in (*Command, *_EVENTS.values()))


def to_message(order: Order, message: Command | OrderEvent) -> Message:
    """The message that carries a command for, or an event of, an order."""
    if isinstance(message, Command):
        name, data = message.value, _command(order, message)
    else:
        name, data = _EVENTS[type(message)], _event(order)
    return Message.new(f"shop.orders.{name}.v1", str(order.id), order.version, data)


def _command(order: Order, command: Command) -> dict[str, Any]:
    data: dict[str, Any] = {"order_id": order.id}
    if command is Command.RESERVE_STOCK:
        data["lines"] = [{"isbn": line.isbn, "quantity": line.quantity} for line in order.lines]
    elif command is Command.CHARGE_CARD:
        data |= {"customer_id": order.customer_id, "card_token": order.card_token, **_money(order.total)}
    elif command is not Command.COMMIT_STOCK:
        data["reason"] = order.reason or ""
    return data


def _event(order: Order) -> dict[str, Any]:
    lines = [
        {
            "isbn": line.isbn,
            "title": line.title,
            "quantity": line.quantity,
            "unit_price": _money(line.unit_price),
        }
        for line in order.lines
    ]
    data = {
        "order_id": order.id,
        "number": order.number,
        "origin": order.origin,
        "customer_id": order.customer_id,
        "lines": lines,
        "total": _money(order.total),
        "placed_at": order.placed_at,
    }
    return data if order.reason is None else {**data, "reason": order.reason}


def _money(money: Money) -> dict[str, Any]:
    return {"amount": money.amount, "currency": money.currency}


def _taken_over(data: LegacyOrderData) -> Order:
    lines = tuple(Line(line.isbn, line.title, line.quantity, _read(line.unit_price)) for line in data.lines)
    return Order(
        id=data.order_id,
        customer_id=data.customer_id,
        card_token=None,
        lines=lines,
        total=_read(data.total),
        price_source=PriceSource.LEGACY,
        placed_at=data.placed_at,
        updated_at=data.placed_at,
        state=OrderState(data.status),
        reason=data.reason,
        number=data.number,
        origin=Origin.LEGACY,
    )


def _read(money: PriceData) -> Money:
    return Money(money.amount, money.currency)


def handlers(orders: Orders) -> Mapping[str, Handler]:
    """Subject to handler, for the consumer."""

    async def on_reply(message: Message) -> None:
        data = ReplyData.model_validate(message.data)
        await orders.answered(data.order_id, _REPLIES[message.type], data.reason, message.id)

    async def on_book_changed(message: Message) -> None:
        book = BookChangedData.model_validate(message.data)
        price = Price(book.isbn, book.title, _read(book.price), book.version)
        await orders.hear_price(price, message.id)

    async def on_legacy_order(message: Message) -> None:
        data = LegacyOrderData.model_validate(message.data)
        await orders.take_over(_taken_over(data), data.version, message.id)

    return {
        **dict.fromkeys(_REPLIES, on_reply),
        BOOK_CHANGED: on_book_changed,
        LEGACY_ORDER_CHANGED: on_legacy_order,
    }
