"""The replica's view of where each capability stands, read ten times a second and reported back in the same statement.

A replica that cannot read must not go on by what it knew: the others flip without it after two seconds. So its view
holds for a second and a half, and not before it has been announced: nobody waits for a replica that nobody knows.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol
from uuid import UUID

import structlog

from chassis.errors import DependencyUnavailable
from facade.domain import Abandoned, Capability, Stage, Standing

log = structlog.get_logger(__name__)
POLL_SECONDS = 0.1
PARKED_POLL_SECONDS = 0.02  # writes are waiting: they go on as soon as this replica knows
VIEW_SECONDS = 1.5
READ_SECONDS = 1.0
# Of a write whose end nobody has seen, or whose replica died: a side may be at it as long as the gateway would wait.
WRITE_SECONDS = 20.0
_UNKNOWN = {each: Standing(each, Stage.LEGACY, 0, False, 0, datetime.fromtimestamp(0, UTC)) for each in Capability}


@dataclass(frozen=True)
class Seen:
    """What one look has shown. `abandoned` are parked for longer than any cut-over takes: its replica has died."""

    standings: Sequence[Standing]
    bug: str | None
    abandoned: Sequence[Abandoned] = ()


@dataclass(frozen=True)
class Report:
    """What this replica tells of itself: which generation it goes by, and how many writes it has under way."""

    capability: Capability
    generation: int
    in_flight: int


class Board(Protocol):
    """Where standings are kept and replicas report."""

    async def look(self, replica: UUID, reports: Sequence[Report]) -> Seen: ...

    async def leave(self, replica: UUID) -> None:
        """Nobody needs to wait for this replica any more."""


class StandingsWatch:
    """A part of the process. `undo` is called for a cut-over that nobody leads any more."""

    name = "standings"

    def __init__(
        self,
        board: Board,
        replica: UUID,
        undo: Callable[[Abandoned], Awaitable[object]],
        observe: Callable[[Standing], None] = lambda _: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._board, self._replica, self._undo, self._observe, self._clock = board, replica, undo, observe, clock
        self.in_flight: Counter[Capability] = Counter()
        self._standings = dict(_UNKNOWN)
        self._bug: str | None = None
        self._announced_at = self._confirmed_at = float("-inf")
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._put_off = False

    @property
    def alive(self) -> bool:
        """False when the task has ended although nobody stopped it."""
        return self._task is None or not self._task.done()

    @property
    def bug(self) -> str | None:
        """The seeded mistake that is switched on."""
        return self._bug

    def of(self, capability: Capability) -> Standing:
        """As last seen; `legacy` in generation 0 before anything was."""
        return self._standings[capability]

    @property
    def known(self) -> bool:
        """Whether anything was seen yet."""
        return all(standing.generation for standing in self._standings.values())

    @property
    def current(self) -> bool:
        """Whether a write may go by this view: nobody flips before this replica has said that it knows."""
        return self._clock() - self._confirmed_at < VIEW_SECONDS

    async def unknown(self) -> str | None:
        """A check of readiness: what is wrong, or None."""
        return None if self.known else "it is not known yet who answers"

    async def changed(self) -> None:
        """Returns after the next look."""
        await self._changed.wait()

    async def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name=self.name)

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
            self._task = None
        # With a write under way it stays listed: a cut-over waits for that one, as long as it may take.
        if not self.in_flight.total():
            await self._board.leave(self._replica)

    async def _run(self) -> None:
        while True:
            again_in = POLL_SECONDS
            try:
                async with asyncio.timeout(READ_SECONDS):
                    again_in = await self.look()
                self._put_off = False
            except (DependencyUnavailable, TimeoutError) as error:
                if not self._put_off:
                    log.warning("standings.unknown", reason=str(error) or "no answer")
                self._put_off = True
            except Exception:
                log.exception("standings.failed")
            await asyncio.sleep(again_in)

    async def look(self) -> float:
        """Report, read and take over. Returns the seconds after which to look again."""
        begun = self._clock()
        before = dict(self._standings)
        reports = [Report(each, seen.generation, self.in_flight[each]) for each, seen in before.items()]
        seen = await self._board.look(self._replica, reports)
        for standing in seen.standings:
            self._take(standing)
        self._bug = seen.bug
        if begun - self._announced_at < VIEW_SECONDS:
            self._confirmed_at = begun
        self._announced_at = begun
        self._changed.set()
        self._changed = asyncio.Event()
        for abandoned in seen.abandoned:
            await self._undo(abandoned)
        if self._standings != before or not self.current:
            return 0.0  # to say at once that it is known, or that this replica is back
        return PARKED_POLL_SECONDS if any(each.parked for each in self._standings.values()) else POLL_SECONDS

    def _take(self, standing: Standing) -> None:
        if standing != self._standings[standing.capability]:
            self._standings[standing.capability] = standing
            self._observe(standing)
            log.info(
                "standing.seen",
                capability=standing.capability.value,
                stage=standing.stage.value,
                percent=standing.percent,
                parked=standing.parked,
                generation=standing.generation,
            )
