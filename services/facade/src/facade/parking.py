"""Where writes wait while their capability changes sides.

Without it, a cut-over would have to be declared in all replicas at one instant, and writes that are on their way to
the old side at that instant would be unknown to the new one when it begins.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Protocol

from chassis import deadlines
from chassis.deadlines import DeadlineExceeded
from chassis.http_client import OutcomeUnknown
from facade.domain import Capability, Side, side
from facade.ports import CannotAnswer
from facade.stages import WRITE_SECONDS, StandingsWatch

PATIENCE_SECONDS = 3.0


class Holds(Protocol):
    """Hears how long a write was held."""

    def held(self, capability: Capability, seconds: float) -> None: ...


class ParkedWrites:
    """The parking of this replica. It counts the writes under way, which the watch reports."""

    def __init__(
        self,
        watch: StandingsWatch,
        holds: Holds,
        patience: float = PATIENCE_SECONDS,
        clock: Callable[[], float] = time.monotonic,
        lingers: float = WRITE_SECONDS,
    ) -> None:
        self._watch, self._holds, self._patience, self._clock = watch, holds, patience, clock
        self._lingers = lingers

    @asynccontextmanager
    async def write(self, capability: Capability) -> AsyncIterator[Side]:
        """The side that the write goes to, for the time of the block. Raises `CannotAnswer` if it is held too long."""
        if not self._open(capability):
            await self._wait(capability)
        # Nothing is awaited between the look at the standing and this: no report comes in between.
        turn = side(self._watch.of(capability), "")
        self._watch.in_flight[capability] += 1
        unknown = False
        try:
            yield turn
        except (OutcomeUnknown, asyncio.CancelledError):
            unknown = True
            raise
        finally:
            if unknown and turn is Side.LEGACY:
                # The old shop may still be at it; a flip now would not be told of what it commits later.
                asyncio.get_running_loop().call_later(self._lingers, self._ended, capability)
            else:
                self._ended(capability)

    def _ended(self, capability: Capability) -> None:
        self._watch.in_flight[capability] -= 1

    def _open(self, capability: Capability) -> bool:
        return self._watch.current and not self._watch.of(capability).parked

    async def _wait(self, capability: Capability) -> None:
        begun = self._clock()
        try:
            async with asyncio.timeout(deadlines.remaining(self._patience)):
                while not self._open(capability):
                    await self._watch.changed()
        except (TimeoutError, DeadlineExceeded):
            raise CannotAnswer(f"writes of {capability} are held for too long") from None
        finally:
            self._holds.held(capability, self._clock() - begun)
