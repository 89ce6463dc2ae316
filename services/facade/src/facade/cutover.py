"""Changing sides: park the writes, wait for those under way, drain the bridge, flip, let the parked ones go on.

Led by the replica that got the operator's call. Every step is a compare-and-set on the generation, so that a leader who
was too slow, and a replica that has undone its cut-over meanwhile, cannot both have their way.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from typing import Protocol

import structlog

from facade.domain import Abandoned, Entry, Move, Overtaken, Side, Stage, Standing, side

log = structlog.get_logger(__name__)
LIMIT_SECONDS = 1.8  # from parking to flipping: a customer's checkout takes no more than two seconds longer
ABANDONED_SECONDS = 2.2  # the leader has given up by then; parked writes wait for three
LOOK_SECONDS = 0.01
# As long as orders are kept. That an older one has arrived is not known: a write-back that is stuck must show.
PLACED_SECONDS = 3600.0
FACADE = "facade"


class NotDrained(Exception):
    """The other side did not have everything in time, or nobody could say."""


class CutoverUndone(Exception):
    """The capability is where it was; nothing is lost, and it can be tried again."""


class Bridge(Protocol):
    """Carries what one side writes over to the other. Both raise `NotDrained`."""

    async def drain_to_shop(self, seconds: float) -> None:
        """Returns when the new side knows all that the old one has written by now."""

    async def drain_to_legacy(self, numbers: Sequence[int], seconds: float) -> None:
        """Returns when the old side has these orders."""


class Work(Protocol):
    """A transaction: the change of a standing, and its line in the audit trail."""

    async def replace(
        self, before: Standing, after: Standing, entry: Entry, *, returns_to: Stage | None = None, anew: bool = False
    ) -> Standing:
        """Store `after` as the next generation. Raises `Overtaken` unless the generation is still that of `before`.

        `returns_to` parks it; `anew`: comparisons count from here on.
        """


class Board(Protocol):
    """Where standings are kept."""

    def begin(self) -> AbstractAsyncContextManager[Work]: ...


class Reports(Protocol):
    """What the replicas tell of themselves."""

    async def behind(self, standing: Standing) -> int:
        """How many replicas do not know this generation yet, or still have writes under way."""

    async def placed_within(self, seconds: float) -> list[int]:
        """Numbers of the orders that the new side took lately, the newest first."""


async def park(work: Work, move: Move, entry: Entry) -> Standing:
    """The first step, in the transaction that has asked the guard."""
    stage = Stage.CUTOVER if move.stage is Stage.MODERN else move.before.stage
    after = replace(move.before, stage=stage, parked=True)
    return await work.replace(move.before, after, entry, returns_to=move.before.stage)


class Cutover:
    """Moves that change who writes. `limit` in seconds."""

    def __init__(
        self,
        board: Board,
        reports: Reports,
        bridge: Bridge,
        limit: float = LIMIT_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._board, self._reports, self._bridge = board, reports, bridge
        self._limit, self._clock = limit, clock

    async def finish(self, parked: Standing, move: Move, entry: Entry) -> Standing:
        """The rest. Raises `CutoverUndone`; then the capability is where it was, or will be in a moment."""
        begun = self._clock()
        try:
            async with asyncio.timeout(self._limit):
                seen = await self._emptied(parked, begun)
                await self._drained(parked, self._limit - (self._clock() - begun))
        except (TimeoutError, NotDrained) as error:
            why = str(error) or "writes under way did not end in time"
            await self.undo(Abandoned(parked, move.before.stage), why)
            raise CutoverUndone(f"{parked.capability} stays at {move.before.stage}: {why}") from error
        steps = {"seconds_to_empty": round(seen, 3), "seconds_to_drain": round(self._clock() - begun - seen, 3)}
        return await self._flip(parked, move, replace(entry, evidence={**entry.evidence, **steps}))

    async def undo(self, abandoned: Abandoned, why: str = "the replica that led the cut-over is gone") -> bool:
        """Let the writes go where they went before. False when somebody else was faster, with this or with the flip."""
        parked = abandoned.standing
        after = replace(parked, stage=abandoned.returns_to, parked=False)
        try:
            async with self._board.begin() as work:
                await work.replace(parked, after, Entry(FACADE, f"cut-over undone: {why}"))
        except Overtaken:
            return False
        log.warning("cutover.undone", capability=parked.capability.value, stage=after.stage.value, reason=why)
        return True

    async def _emptied(self, parked: Standing, begun: float) -> float:
        while await self._reports.behind(parked):  # noqa: ASYNC110 - other processes, which set no event of ours
            await asyncio.sleep(LOOK_SECONDS)
        return self._clock() - begun

    async def _drained(self, parked: Standing, seconds: float) -> None:
        if side(parked, "") is Side.LEGACY:
            await self._bridge.drain_to_shop(seconds)
        else:
            await self._bridge.drain_to_legacy(await self._reports.placed_within(PLACED_SECONDS), seconds)

    async def _flip(self, parked: Standing, move: Move, entry: Entry) -> Standing:
        after = replace(parked, stage=move.stage, percent=move.percent, parked=False)
        try:
            async with self._board.begin() as work:
                standing = await work.replace(parked, after, entry, anew=move.begins_comparison)
        except Overtaken as error:
            raise CutoverUndone(
                f"{parked.capability} stays at {move.before.stage}: another replica undid it"
            ) from error
        log.info("cutover.flipped", capability=parked.capability.value, stage=standing.stage.value, **entry.evidence)
        return standing
