"""Messages in and out: commands of the orders service and what they are answered; what the old shop's stock does."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, Field

from chassis.consumer import Handler, Retry
from chassis.messages import Heard, Message
from inventory import observe
from inventory.application import Inventory
from inventory.domain import (
    MAX_QUANTITY,
    MAX_RECEIVED,
    Event,
    ReservationAppeared,
    StockCommitted,
    StockRefused,
    StockReleased,
    StockReserved,
    StockUnknown,
)

RESERVED = "shop.inventory.stock-reserved.v1"
REFUSED = "shop.inventory.stock-refused.v1"
RELEASED = "shop.inventory.stock-released.v1"
COMMITTED = "shop.inventory.stock-committed.v1"
PRODUCES: tuple[str, ...] = (RESERVED, REFUSED, RELEASED, COMMITTED)

RESERVE = "shop.orders.reserve-stock.v1"
RELEASE = "shop.orders.release-stock.v1"
COMMIT = "shop.orders.commit-stock.v1"
LEGACY_BOOK = "shop.bridge.legacy-book-changed.v1"
LEGACY_ORDER = "shop.bridge.legacy-order-changed.v1"
LEGACY_STOCK = "shop.bridge.legacy-stock-received.v1"

UNTIL_KNOWN = 2.0


class Line(Heard):
    """One book of an order. Any text is taken for an ISBN: a wrong one is answered `unknown-book`, not buried."""

    isbn: Annotated[str, Field(max_length=64, pattern=r"^[^\x00]*$")]
    quantity: Annotated[int, Field(ge=1, le=MAX_QUANTITY)]


class Lines(Heard):
    """What an order is for."""

    order_id: UUID
    lines: list[Line]

    def copies(self) -> dict[str, int]:
        """Copies by ISBN: a book on two lines counts once, with the sum."""
        totals: dict[str, int] = {}
        for line in self.lines:
            totals[line.isbn] = totals.get(line.isbn, 0) + line.quantity
        return totals


class ReserveStock(Lines):
    """Hold these books for the order."""

    lines: Annotated[list[Line], Field(min_length=1, max_length=100)]


class OrderCommand(Heard):
    """`release-stock` and `commit-stock`: the order says it all."""

    order_id: UUID


class LegacyBook(Heard):
    """`received`: all copies that the old shop ever had of the book, at its change `version`; None when not told."""

    isbn: str
    received: Annotated[int, Field(ge=0, le=MAX_RECEIVED)] | None
    version: int


class LegacyOrder(Lines):
    """An order that has ended in the old shop."""

    status: Literal["confirmed", "cancelled"]


class LegacyStock(Heard):
    """Copies that came into the old shop's shelves, or (below 0) were taken from them."""

    isbn: str
    quantity: Annotated[int, Field(ge=-MAX_RECEIVED, le=MAX_RECEIVED)]
    version: int


CONSUMES: Mapping[str, type[BaseModel]] = {
    RESERVE: ReserveStock,
    RELEASE: OrderCommand,
    COMMIT: OrderCommand,
    LEGACY_BOOK: LegacyBook,
    LEGACY_ORDER: LegacyOrder,
    LEGACY_STOCK: LegacyStock,
}


def to_message(event: Event) -> Message:
    """The event as a message of its order."""
    type_, details = _describe(event)
    order = str(event.order_id)
    return Message.new(type_, order, event.version, {"order_id": order, **details})


def _describe(event: Event) -> tuple[str, dict[str, Any]]:
    match event:
        case StockReserved():
            return RESERVED, {"expires_at": event.expires_at.isoformat().replace("+00:00", "Z")}
        case StockRefused():
            return REFUSED, {"reason": event.reason} | ({"isbn": event.isbn} if event.isbn is not None else {})
        case StockReleased():
            return RELEASED, {"reason": event.reason}
        case StockCommitted():
            return COMMITTED, {}


def handlers(inventory: Inventory) -> Mapping[str, Handler]:
    """A handler for each command, and for each thing that the old shop tells."""

    async def reserve(message: Message) -> None:
        command = ReserveStock.model_validate(message.data)
        await inventory.reserve_stock(command.order_id, command.copies(), message.id)

    async def release(message: Message) -> None:
        await inventory.release_stock(OrderCommand.model_validate(message.data).order_id, message.id)

    async def commit(message: Message) -> None:
        await inventory.commit_stock(OrderCommand.model_validate(message.data).order_id, message.id)

    own = {RESERVE: reserve, RELEASE: release, COMMIT: commit, **_legacy_handlers(inventory)}
    return {subject: _again(handle) for subject, handle in own.items()}


def _legacy_handlers(inventory: Inventory) -> Mapping[str, Handler]:
    async def introduce(message: Message) -> None:
        told = LegacyBook.model_validate(message.data)
        await inventory.introduce_legacy(told.isbn, told.received, told.version, message.id)

    async def sell(message: Message) -> None:
        order = LegacyOrder.model_validate(message.data)
        if order.status == "confirmed":  # the others gave back what they took, before anybody saw it
            observe.OVERSOLD.inc(await inventory.sell_legacy(order.order_id, order.copies(), message.id))

    async def receive(message: Message) -> None:
        told = LegacyStock.model_validate(message.data)
        await inventory.receive_legacy(told.isbn, told.quantity, told.version, message.id)

    return {LEGACY_BOOK: introduce, LEGACY_ORDER: sell, LEGACY_STOCK: receive}


def _again(handle: Callable[[Message], Awaitable[None]]) -> Handler:
    """What cannot be decided yet comes again.

    Two first commands of one order at once, in two replicas: the later one looks at what the other made. What the old
    shop tells of a book may overtake the book itself.
    """

    async def handler(message: Message) -> None:
        try:
            await handle(message)
        except ReservationAppeared as error:
            raise Retry(0.1, "the order got its reservation meanwhile") from error
        except StockUnknown as error:
            raise Retry(UNTIL_KNOWN, str(error)) from error

    return handler
