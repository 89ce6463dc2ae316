"""The HTTP interface of orders."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Self
from uuid import UUID

import orjson
from fastapi import APIRouter, Depends, Path, Response
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from chassis import cursors
from chassis.auth import Authenticate, Caller
from chassis.cursors import Cursor, Limit
from chassis.errors import NOT_FOUND, UNAVAILABLE, Problem, responses
from chassis.idempotency import PROBLEMS as IDEMPOTENCY_PROBLEMS
from chassis.idempotency import Answer, IdempotencyKey, IdempotencyKeys
from orders.application import Orders
from orders.domain import (
    HistoryEntry,
    Order,
    OrderNotFound,
    OrderState,
    Origin,
    PricesUnknown,
    Quote,
    TooLateToCancel,
    UnknownBook,
    Wish,
)

PREFIX = "/api/orders"


PROBLEMS: Mapping[type[Exception], Problem] = {
    **IDEMPOTENCY_PROBLEMS,
    OrderNotFound: NOT_FOUND,
    UnknownBook: Problem(422, "unknown-book", "A book is not in the catalogue"),
    PricesUnknown: UNAVAILABLE,
    TooLateToCancel: Problem(409, "too-late-to-cancel", "The order can no longer be cancelled"),
}


def isbn13(value: str) -> str:
    """The value itself, if its check digit is right (ISO 2108: weights 1 and 3, sum divisible by ten)."""
    if sum(int(digit) * (3 if place % 2 else 1) for place, digit in enumerate(value)) % 10:
        raise ValueError("the check digit of the ISBN-13 is wrong")
    return value


Isbn = Annotated[str, Field(pattern=r"^97[89][0-9]{10}$"), AfterValidator(isbn13)]


class OrderLine(BaseModel):
    model_config = ConfigDict(extra="forbid")

    isbn: Isbn
    quantity: int = Field(ge=1, le=100, strict=True)


def _each_book_once(lines: list[OrderLine]) -> list[OrderLine]:
    if len({line.isbn for line in lines}) < len(lines):
        raise ValueError("a book may stand in one line only; add the quantities up")
    return lines


OrderLines = Annotated[list[OrderLine], Field(min_length=1, max_length=20), AfterValidator(_each_book_once)]
Number = Annotated[int, Path(ge=1, le=2**63 - 1)]


class PlaceOrder(BaseModel):
    model_config = ConfigDict(extra="forbid")

    lines: OrderLines
    card_token: str = Field(pattern=r"^tok_[a-z0-9_]{1,60}$", description="From the card processor; never a number")


class AskQuote(BaseModel):
    model_config = ConfigDict(extra="forbid")

    lines: OrderLines


class MoneyView(BaseModel):
    amount: int
    currency: str


class LineView(BaseModel):
    isbn: str
    title: str
    quantity: int
    unit_price: MoneyView


class QuoteView(BaseModel):
    """What an order would cost now; it binds nobody."""

    lines: list[LineView]
    total: MoneyView

    @classmethod
    def of(cls, quote: Quote) -> Self:
        return cls.model_validate(quote, from_attributes=True)


class OrderView(BaseModel):
    """An order as its customer sees it."""

    id: UUID
    number: int
    origin: Origin
    state: OrderState
    reason: str | None
    customer_id: UUID
    lines: list[LineView]
    total: MoneyView
    price_source: str
    placed_at: datetime
    updated_at: datetime
    version: int

    @classmethod
    def of(cls, order: Order) -> Self:
        return cls.model_validate(order, from_attributes=True)


class OrderList(BaseModel):
    items: list[OrderView]
    next_cursor: str | None


class NumberedOrders(BaseModel):
    items: list[OrderView]


class HistoryEntryView(BaseModel):
    event: str
    at: datetime

    @classmethod
    def of(cls, entry: HistoryEntry) -> Self:
        return cls(event=entry.event, at=entry.at)


class HistoryView(BaseModel):
    items: list[HistoryEntryView]


def router(orders: Orders, keys: IdempotencyKeys, authenticate: Authenticate) -> APIRouter:
    """The routes, for callers whom `authenticate` knows."""
    routes = APIRouter(prefix=PREFIX, tags=["orders"], responses=responses(401))
    _add_writes(routes, orders, keys, authenticate)
    _add_numbered(routes, orders, authenticate)
    _add_reads(routes, orders, authenticate)
    return routes


def _add_writes(routes: APIRouter, orders: Orders, keys: IdempotencyKeys, authenticate: Authenticate) -> None:
    Known = Annotated[Caller, Depends(authenticate)]  # noqa: N806 - a type

    @routes.post("", status_code=202, response_model=OrderView, responses=responses(409))
    async def place(request: PlaceOrder, idempotency_key: IdempotencyKey, caller: Known) -> Response:
        """Accept an order; it is confirmed or cancelled a moment later. Follow `Location`."""
        wishes = _wishes(request.lines)
        body = orjson.dumps(request.model_dump(), option=orjson.OPT_SORT_KEYS)
        async with keys.claim(str(caller.id), idempotency_key, body) as claim:
            answer = claim.answer or await orders.place(caller.id, wishes, request.card_token, claim, _accepted)
        return answer.response()

    @routes.post("/quotes")
    async def quote(request: AskQuote, _: Known) -> QuoteView:
        """What an order of these lines would cost now: a dry run, without any effect."""
        return QuoteView.of(await orders.quote(_wishes(request.lines)))

    @routes.post("/{order_id}/cancellation", status_code=202, responses=responses(404, 409))
    async def cancel(order_id: UUID, caller: Known) -> OrderView:
        """Cancel an order that is not confirmed yet; a repetition is answered alike."""
        return OrderView.of(await orders.cancel(order_id, caller.id))


def _add_reads(routes: APIRouter, orders: Orders, authenticate: Authenticate) -> None:
    Known = Annotated[Caller, Depends(authenticate)]  # noqa: N806 - a type

    @routes.get("")
    async def read_list(
        caller: Known,
        state: OrderState | None = None,
        cursor: Cursor = None,
        limit: Limit = 20,
    ) -> OrderList:
        """The caller's own orders, newest first."""
        scope = f"{caller.id} {state}"
        before = None if cursor is None else _last_seen(scope, cursor)
        found = await orders.of_customer(caller.id, state, before, limit + 1)
        page = found[:limit]
        following = cursors.encode(scope, str(page[-1].id)) if len(found) > limit else None
        return OrderList(items=[OrderView.of(order) for order in page], next_cursor=following)

    @routes.get("/{order_id}", responses=responses(404))
    async def read(order_id: UUID, caller: Known) -> OrderView:
        """One order, to its customer or to an operator."""
        return OrderView.of(await orders.read(order_id, _scope(caller)))

    @routes.get("/{order_id}/history", responses=responses(404))
    async def read_history(order_id: UUID, caller: Known) -> HistoryView:
        """What has happened to the order, oldest first."""
        entries = await orders.history(order_id, _scope(caller))
        return HistoryView(items=[HistoryEntryView.of(entry) for entry in entries])


def _add_numbered(routes: APIRouter, orders: Orders, authenticate: Authenticate) -> None:
    """The order and the names of the old shop; before `/{order_id}`, which would take them for ids."""
    Known = Annotated[Caller, Depends(authenticate)]  # noqa: N806 - a type

    @routes.get("/by-number")
    async def read_by_number(caller: Known, limit: Limit = 20) -> NumberedOrders:
        """The caller's own orders that have ended, the highest number first: as the old shop lists them.

        Numbers do not follow time where the old shop takes orders again: its own are lower than those given here.
        """
        found = await orders.ended_by_number(caller.id, limit)
        return NumberedOrders(items=[OrderView.of(order) for order in found])

    @routes.get("/by-number/{number}", responses=responses(404))
    async def read_numbered(number: Number, caller: Known) -> OrderView:
        """The order of this number, to its customer or to an operator."""
        return OrderView.of(await orders.read_numbered(number, _scope(caller)))


def _wishes(lines: list[OrderLine]) -> list[Wish]:
    return [Wish(line.isbn, line.quantity) for line in lines]


def _scope(caller: Caller) -> UUID | None:
    return None if "operator" in caller.roles else caller.id


def _accepted(order: Order) -> Answer:
    body = OrderView.of(order).model_dump_json().encode()
    return Answer(202, body, location=f"{PREFIX}/{order.id}")


def _last_seen(scope: str, cursor: str) -> UUID:
    (place,) = cursors.decode(scope, cursor, str)
    try:
        return UUID(place)
    except ValueError as error:
        raise cursors.foreign() from error
