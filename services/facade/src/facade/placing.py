"""Notes which orders the new side has taken, so that a roll-back can wait until the old shop has them."""

from typing import Protocol

import structlog

log = structlog.get_logger(__name__)


class Notes(Protocol):
    """Where they are kept."""

    async def note(self, number: int) -> None: ...


class PlacedOrders:
    """A `Placed`."""

    def __init__(self, notes: Notes) -> None:
        self._notes = notes

    async def placed(self, number: int) -> None:
        """Without the note a roll-back may come before its order, which the bridge then brings a moment later."""
        try:
            await self._notes.note(number)
        except Exception as error:
            log.warning("placed.not-noted", number=number, reason=repr(error))
