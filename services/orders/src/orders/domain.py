"""An order, its transitions and what is told of them. Knows no step of the checkout and no other service."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from uuid import UUID


class OrderNotFound(Exception):
    """There is no such order, or it is somebody else's."""


class UnknownBook(Exception):
    """A book that is not in the catalogue was ordered."""


class CatalogUnavailable(Exception):
    """Catalog cannot be asked now."""


class PricesUnknown(Exception):
    """Catalog does not answer, and a price of the book was never heard."""


class TooLateToCancel(Exception):
    """The order is confirmed, or about to be."""


class TransitionRefused(Exception):
    """The order is not in the state that the transition starts from: a bug, not input."""


class OrderState(StrEnum):
    PENDING = "pending"
    CONFIRMED = "confirmed"
    CANCELLING = "cancelling"
    CANCELLED = "cancelled"


class PriceSource(StrEnum):
    """Where the prices of an order come from."""

    CATALOG = "catalog"
    LAST_HEARD = "last-heard"
    LEGACY = "legacy"


class Origin(StrEnum):
    """Who took the order and is the one to change it: this shop, or the old one that it replaces."""

    SHOP = "shop"
    LEGACY = "legacy"


@dataclass(frozen=True)
class Money:
    """`amount` in minor units; `currency` in ISO 4217."""

    amount: int
    currency: str


@dataclass(frozen=True)
class Price:
    """What a book costs, as catalog said at `version`."""

    isbn: str
    title: str
    price: Money
    version: int


@dataclass(frozen=True)
class Wish:
    """What a customer asks for."""

    isbn: str
    quantity: int


@dataclass(frozen=True)
class Line:
    """A wish with the price at which it was accepted."""

    isbn: str
    title: str
    quantity: int
    unit_price: Money


@dataclass(frozen=True)
class Order:
    """The aggregate; `version` counts its transitions from 1, or what the old shop told of it.

    `number` is its name in the old shop's contract, for life and on both sides; None until it is stored.
    """

    id: UUID
    customer_id: UUID
    card_token: str | None = field(repr=False)
    lines: tuple[Line, ...]
    total: Money
    price_source: PriceSource
    placed_at: datetime
    updated_at: datetime
    state: OrderState = OrderState.PENDING
    reason: str | None = None
    version: int = 1
    number: int | None = None
    origin: Origin = Origin.SHOP

    def confirm(self, now: datetime) -> "Order":
        """pending → confirmed: the stock is gone from the shelf and the money is with us."""
        return self._become(OrderState.CONFIRMED, now, OrderState.PENDING)

    def start_cancelling(self, reason: str, now: datetime) -> "Order":
        """pending → cancelling: what was done for the order is being undone."""
        return replace(self._become(OrderState.CANCELLING, now, OrderState.PENDING), reason=reason)

    def cancel(self, now: datetime) -> "Order":
        """cancelling → cancelled: nothing of the order is left elsewhere."""
        return self._become(OrderState.CANCELLED, now, OrderState.CANCELLING)

    def _become(self, state: OrderState, now: datetime, start: OrderState) -> "Order":
        if self.state is not start:
            raise TransitionRefused(f"order {self.id} is {self.state}, not {start}")
        # Nobody is charged for an order that is no longer pending: what is not needed is not kept.
        return replace(self, state=state, updated_at=now, version=self.version + 1, card_token=None)


def price_lines(wishes: Sequence[Wish], prices: Sequence[Price]) -> tuple[tuple[Line, ...], Money]:
    """The lines and their total; raises `UnknownBook` for a wish without a price."""
    known = {price.isbn: price for price in prices}
    missing = [wish.isbn for wish in wishes if wish.isbn not in known]
    if missing:
        raise UnknownBook(f"not in the catalogue: {', '.join(missing)}")
    lines = tuple(Line(w.isbn, known[w.isbn].title, w.quantity, known[w.isbn].price) for w in wishes)
    (currency,) = {line.unit_price.currency for line in lines}
    return lines, Money(sum(line.quantity * line.unit_price.amount for line in lines), currency)


@dataclass(frozen=True)
class Quote:
    """What an order would cost if it were placed now."""

    lines: tuple[Line, ...]
    total: Money


@dataclass(frozen=True)
class OrderPlaced:
    order: Order


@dataclass(frozen=True)
class OrderConfirmed:
    order: Order


@dataclass(frozen=True)
class OrderCancelled:
    order: Order


OrderEvent = OrderPlaced | OrderConfirmed | OrderCancelled


@dataclass(frozen=True)
class HistoryEntry:
    """A line of an order's history: what had happened, and when."""

    event: str
    at: datetime
