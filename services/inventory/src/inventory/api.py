"""HTTP in: how many copies can be ordered, and deliveries from the printer."""

from collections.abc import Mapping
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Response
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from chassis import auth, idempotency
from chassis.auth import Caller, TokenVerifier
from chassis.errors import NOT_FOUND, Problem, responses
from chassis.idempotency import Answer, IdempotencyKey, IdempotencyKeys
from inventory.application import Inventory
from inventory.domain import MAX_QUANTITY, Stock, StockFull, StockUnknown

PROBLEMS: Mapping[type[Exception], Problem] = {
    **idempotency.PROBLEMS,
    StockUnknown: NOT_FOUND,
    StockFull: Problem(409, "conflict", "The stock of this book is full"),
}


def _check_digit(isbn: str) -> str:
    if sum(int(digit) * (3 if place % 2 else 1) for place, digit in enumerate(isbn)) % 10:
        raise ValueError("the check digit of this ISBN is wrong")
    return isbn


Isbn13 = Annotated[str, Field(pattern=r"^97[89][0-9]{10}$", examples=["9780141439518"]), AfterValidator(_check_digit)]
Isbn = Annotated[Isbn13, Path(description="ISBN-13 without hyphens")]


class Availability(BaseModel):
    """Copies that can be ordered now. A snapshot: only a reservation holds them."""

    isbn: str
    available: int


class Availabilities(BaseModel):
    """Of several books."""

    items: list[Availability]


class Receipt(BaseModel):
    """Copies that were delivered."""

    model_config = ConfigDict(extra="forbid", strict=True)

    quantity: Annotated[int, Field(ge=1, le=MAX_QUANTITY)]


class StockLevel(BaseModel):
    """A book's stock after a receipt."""

    isbn: str
    received: int
    on_hand: int
    reserved: int
    available: int


def router(inventory: Inventory, keys: IdempotencyKeys, verifier: TokenVerifier) -> APIRouter:
    """The routes under /api/inventory."""
    routes = APIRouter(prefix="/api/inventory", tags=["inventory"])

    @routes.get("/stock", responses=responses())
    async def read_stocks(isbn: Annotated[list[Isbn13], Query(min_length=1, max_length=50)]) -> Availabilities:
        """The same of up to 50 books at once; those that were never received are absent."""
        stocks = await inventory.read_stocks(isbn)
        return Availabilities(items=[Availability(isbn=stock.isbn, available=stock.available) for stock in stocks])

    @routes.get("/stock/{isbn}", responses=responses(404))
    async def read_stock(isbn: Isbn) -> Availability:
        """How many copies of a book can be ordered."""
        stock = await inventory.read_stock(isbn)
        return Availability(isbn=stock.isbn, available=stock.available)

    @routes.post(
        "/stock/{isbn}/receipts", status_code=201, response_model=StockLevel, responses=responses(401, 403, 409)
    )
    async def receive_stock(
        isbn: Isbn,
        receipt: Receipt,
        idempotency_key: IdempotencyKey,
        caller: Annotated[Caller, Depends(auth.operator(verifier))],
    ) -> Response:
        """Book a delivery in (operators). The same key and body book it once, however often they are sent."""
        asked_for = f"receipt {isbn} {receipt.quantity}".encode()
        async with keys.claim(str(caller.id), idempotency_key, asked_for) as claim:
            answer = claim.answer or await inventory.receive_stock(isbn, receipt.quantity, claim, _created)
        return answer.response()

    return routes


def _created(stock: Stock) -> Answer:
    level = StockLevel(
        isbn=stock.isbn,
        received=stock.received,
        on_hand=stock.on_hand,
        reserved=stock.reserved,
        available=stock.available,
    )
    return Answer(201, level.model_dump_json().encode(), f"/api/inventory/stock/{stock.isbn}")
