"""Use cases of the operators: move a capability, look at where all stand, switch the seeded mistake."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Protocol

import structlog

from facade import cutover, guard
from facade.counting import Totals
from facade.cutover import FACADE, Cutover, Work
from facade.domain import Capability, Entry, Move, Overtaken, ReasonMissing, Recorded, Stage, Standing, plan
from facade.guard import Evidence, Lag

log = structlog.get_logger(__name__)


class UnitOfWork(Work, Protocol):
    """One transaction."""

    async def compared(self, capability: Capability) -> tuple[int, int]:
        """Comparisons that count for a promotion, and how many of them were equal."""

    async def seed_bug(self, bug: str | None) -> None: ...


class Storage(Protocol):
    """Standings, audit trail, and what all replicas have counted."""

    def begin(self) -> AbstractAsyncContextManager[UnitOfWork]: ...

    async def standings(self) -> tuple[Mapping[Capability, Standing], str | None]:
        """As they are stored now, and the seeded mistake."""

    async def totals(self, capability: Capability) -> tuple[Totals, Totals]:
        """Of all time, and of the generations whose comparisons count."""

    async def trail(self, limit: int) -> list[Recorded]: ...

    async def samples(self, capability: Capability, limit: int) -> list[Mapping[str, Any]]: ...


class Bridge(Protocol):
    """Knows how far each side is behind the other."""

    async def lag(self) -> Lag | None:
        """None while it cannot say."""


@dataclass(frozen=True)
class Wish:
    """Where an operator wants a capability to go. `force` is against the guard, and needs a reason."""

    to: Stage
    percent: int = 0
    reason: str = ""
    force: bool = False


@dataclass(frozen=True)
class Status:
    """One capability: `lifetime` is what all replicas have counted since ever, `recent` what counts for a promotion."""

    standing: Standing
    lifetime: Totals
    recent: Totals
    lag: Lag | None


@dataclass(frozen=True)
class Overview:
    """All of them, and the seeded mistake that is switched on."""

    items: Sequence[Status]
    bug: str | None


class Migration:
    """What operators can do."""

    def __init__(self, storage: Storage, bridge: Bridge, cutovers: Cutover) -> None:
        self._storage, self._bridge, self._cutovers = storage, bridge, cutovers
        self._moving: set[asyncio.Task[Standing]] = set()  # the loop itself does not keep tasks from being collected

    async def move(self, capability: Capability, wish: Wish, who: str) -> Standing:
        """Where it stands afterwards; a repeated wish changes nothing.

        Raises `NoSuchMove`, `ReasonMissing`, `PromotionRefused`, `Overtaken`, `CutoverUndone`.
        """
        if wish.force and not wish.reason.strip():
            raise ReasonMissing("force needs a reason")
        standing = (await self._storage.standings())[0][capability]
        move = plan(standing, wish.to, wish.percent, force=wish.force)
        if move is None:
            return standing
        lag = await self._bridge.lag() if move.guarded else None
        # Not in the task of the request: who hangs up in the middle of a cut-over must not leave it half done.
        task = asyncio.create_task(self._perform(move, wish, lag, who), name="move")
        self._moving.add(task)
        task.add_done_callback(self._moving.discard)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            task.add_done_callback(partial(_unheard, capability))
            raise

    async def step_back(self, capability: Capability, evidence: Mapping[str, Any]) -> None:
        """Out of canary into shadow, as the facade itself; nothing in any other stage, or when another was faster."""
        standing = (await self._storage.standings())[0][capability]
        move = plan(standing, Stage.SHADOW) if standing.stage is Stage.CANARY else None
        if move is None:
            return
        entry = Entry(FACADE, "the new side has used up its error budget", evidence=evidence)
        try:
            async with self._storage.begin() as work:
                await work.replace(standing, _moved(move), entry, anew=True)
        except Overtaken:
            return
        log.warning("migration.stepped-back", capability=capability.value, **evidence)

    async def seed_bug(self, bug: str | None, who: str) -> None:
        """Switch the mistake of the catalogue's adapter on or off. What was compared before counts no more."""
        standings, known = await self._storage.standings()
        if bug == known:
            return
        standing = standings[Capability.CATALOG]
        async with self._storage.begin() as work:
            await work.replace(standing, standing, Entry(who, f"seeded bug: {bug or 'none'}"), anew=True)
            await work.seed_bug(bug)

    async def overview(self) -> Overview:
        """Where all stand, and what was seen."""
        standings, bug = await self._storage.standings()
        lag = await self._bridge.lag()
        items = [Status(standing, *await self._storage.totals(each), lag) for each, standing in standings.items()]
        return Overview(items, bug)

    async def trail(self, limit: int) -> list[Recorded]:
        """Who has changed what, the newest first."""
        return await self._storage.trail(limit)

    async def samples(self, capability: Capability, limit: int) -> list[Mapping[str, Any]]:
        """Mismatches since the comparison began anew, the newest first."""
        return await self._storage.samples(capability, limit)

    async def _perform(self, move: Move, wish: Wish, lag: Lag | None, who: str) -> Standing:
        async with self._storage.begin() as work:
            evidence = Evidence(*await work.compared(move.before.capability), lag)
            if move.guarded and not wish.force:
                guard.require(evidence)
            entry = Entry(who, wish.reason, wish.force, evidence.document())
            if not move.parks:
                return await work.replace(move.before, _moved(move), entry, anew=move.begins_comparison)
            parked = await cutover.park(work, move, entry)
        return await self._cutovers.finish(parked, move, entry)


def _unheard(capability: Capability, task: asyncio.Task[Standing]) -> None:
    """The failure of a move whose operator has hung up."""
    error = None if task.cancelled() else task.exception()
    if error is not None:
        log.warning("migration.failed-unheard", capability=capability.value, reason=repr(error))


def _moved(move: Move) -> Standing:
    return replace(move.before, stage=move.stage, percent=move.percent)
