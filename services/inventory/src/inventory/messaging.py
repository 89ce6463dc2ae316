"""Messages in and out: commands of the orders service, and what they are answered."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, Field

from chassis.consumer import Handler, Retry
from chassis.messages import Heard, Message
from inventory.application import Inventory
from inventory.domain import (
    MAX_QUANTITY,
    Event,
    ReservationAppeared,
    StockCommitted,
    StockRefused,
    StockReleased,
    StockReserved,
)

RESERVED = "shop.inventory.stock-reserved.v1"
REFUSED = "shop.inventory.stock-refused.v1"
RELEASED = "shop.inventory.stock-released.v1"
COMMITTED = "shop.inventory.stock-committed.v1"
PRODUCES: tuple[str, ...] = (RESERVED, REFUSED, RELEASED, COMMITTED)

RESERVE = "shop.orders.reserve-stock.v1"
RELEASE = "shop.orders.release-stock.v1"
COMMIT = "shop.orders.commit-stock.v1"


class Line(Heard):
    """One book of an order. Any text is taken for an ISBN: a wrong one is answered `unknown-book`, not buried."""

    isbn: Annotated[str, Field(max_length=64, pattern=r"^[^\x00]*$")]
    quantity: Annotated[int, Field(ge=1, le=MAX_QUANTITY)]


class ReserveStock(Heard):
    """Hold these books for the order."""

    order_id: UUID
    lines: Annotated[list[Line], Field(min_length=1, max_length=100)]

    def copies(self) -> dict[str, int]:
        """Copies by ISBN: a book on two lines counts once, with the sum."""
        totals: dict[str, int] = {}
        for line in self.lines:
            totals[line.isbn] = totals.get(line.isbn, 0) + line.quantity
        return totals


class OrderCommand(Heard):
    """`release-stock` and `commit-stock`: the order says it all."""

    order_id: UUID


CONSUMES: Mapping[str, type[BaseModel]] = {RESERVE: ReserveStock, RELEASE: OrderCommand, COMMIT: OrderCommand}


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
    """A handler for each command."""

    async def reserve(message: Message) -> None:
        command = ReserveStock.model_validate(message.data)
        await inventory.reserve_stock(command.order_id, command.copies(), message.id)

    async def release(message: Message) -> None:
        await inventory.release_stock(OrderCommand.model_validate(message.data).order_id, message.id)

    async def commit(message: Message) -> None:
        await inventory.commit_stock(OrderCommand.model_validate(message.data).order_id, message.id)

    return {RESERVE: _again(reserve), RELEASE: _again(release), COMMIT: _again(commit)}


def _again(handle: Callable[[Message], Awaitable[None]]) -> Handler:
    """Two first commands of one order at once, in two replicas: the later one looks again at what the other made."""

    async def handler(message: Message) -> None:
        try:
            await handle(message)
        except ReservationAppeared as error:
            raise Retry(0.1, "the order got its reservation meanwhile") from error

    return handler
