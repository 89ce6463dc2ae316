"""What inventory tells of an order's stock."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID


class Reason(StrEnum):
    """Why a reservation was refused or released."""

    OUT_OF_STOCK = "out-of-stock"
    UNKNOWN_BOOK = "unknown-book"
    NOT_RESERVED = "not-reserved"
    RELEASED = "released"
    EXPIRED = "expired"
    REQUESTED = "requested"


@dataclass(frozen=True)
class StockReserved:
    """The stock is held for the order until `expires_at`."""

    order_id: UUID
    version: int
    expires_at: datetime


@dataclass(frozen=True)
class StockRefused:
    """The order gets no stock; `isbn` names the book that is short or unknown."""

    order_id: UUID
    version: int
    reason: Reason
    isbn: str | None = None


@dataclass(frozen=True)
class StockReleased:
    """The order holds no stock any more, or never did."""

    order_id: UUID
    version: int
    reason: Reason


@dataclass(frozen=True)
class StockCommitted:
    """The stock has left for good."""

    order_id: UUID
    version: int


Event = StockReserved | StockRefused | StockReleased | StockCommitted
