"""Stock, and the reservations that hold it; standard library only."""

from inventory.domain.events import Event, Reason, StockCommitted, StockRefused, StockReleased, StockReserved
from inventory.domain.reservations import (
    AlreadyCommitted,
    Change,
    Movement,
    Reservation,
    ReservationAppeared,
    State,
    movements,
)
from inventory.domain.stock import (
    MAX_QUANTITY,
    MAX_RECEIVED,
    Shortage,
    Stock,
    StockFull,
    StockUnknown,
    shortage,
)

__all__ = [
    "MAX_QUANTITY",
    "MAX_RECEIVED",
    "AlreadyCommitted",
    "Change",
    "Event",
    "Movement",
    "Reason",
    "Reservation",
    "ReservationAppeared",
    "Shortage",
    "State",
    "Stock",
    "StockCommitted",
    "StockFull",
    "StockRefused",
    "StockReleased",
    "StockReserved",
    "StockUnknown",
    "movements",
    "shortage",
]
