"""The error budget of a canary: how many of the new side's answers may fail before the facade steps back by itself.

A rate over a window, not errors in a row: a side that fails every fifth time is never wrong twice, and wrong all day.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from facade.domain import Capability, Standing
from facade.ports import StepBack

log = structlog.get_logger(__name__)

WINDOW_SECONDS = 30
AT_LEAST = 50
SHARE = 0.05


@dataclass
class _Second:
    second: int
    answers: int = 0
    errors: int = 0


@dataclass(frozen=True)
class Spent:
    """What a window holds."""

    answers: int
    errors: int

    @property
    def burnt(self) -> bool:
        """More than 5 % of at least 50."""
        return self.answers >= AT_LEAST and self.errors > SHARE * self.answers


class ErrorBudget:
    """Of one capability in one replica. A window of 30 seconds, in steps of one."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._seconds: deque[_Second] = deque()

    def record(self, error: bool) -> Spent:
        """Count an answer of the new side; returns what the window then holds."""
        now = int(self._clock())
        if not self._seconds or self._seconds[-1].second != now:
            self._seconds.append(_Second(now))
        while self._seconds[0].second <= now - WINDOW_SECONDS:
            self._seconds.popleft()
        latest = self._seconds[-1]
        latest.answers += 1
        latest.errors += error
        return Spent(sum(each.answers for each in self._seconds), sum(each.errors for each in self._seconds))


class Guard:
    """Watches the canaries of this replica, and steps back when the budget of one is burnt."""

    def __init__(self, step_back: StepBack, clock: Callable[[], float] = time.monotonic) -> None:
        self._step_back = step_back
        self._clock = clock
        self._budgets: dict[Capability, tuple[int, ErrorBudget]] = {}
        self._stepping: dict[Capability, asyncio.Task[None]] = {}

    def record(self, standing: Standing, error: bool) -> None:
        """Count an answer of the new side. Never waits: the customer's answer does not depend on it."""
        budget = self._budget(standing)
        if budget is None:
            return
        spent = budget.record(error)
        if spent.burnt and standing.capability not in self._stepping:
            step = self._stepping[standing.capability] = asyncio.create_task(self._step(standing, spent))
            step.add_done_callback(lambda _: self._stepping.pop(standing.capability, None))

    def _budget(self, standing: Standing) -> ErrorBudget | None:
        # What happened in another generation says nothing about this one. A slow answer of an earlier one is nobody's
        # any more: begun anew for it, the budget of today would forget its errors.
        generation, budget = self._budgets.get(standing.capability, (-1, None))
        if standing.generation < generation:
            return None
        if budget is None or generation != standing.generation:
            budget = ErrorBudget(self._clock)
            self._budgets[standing.capability] = (standing.generation, budget)
        return budget

    async def _step(self, standing: Standing, spent: Spent) -> None:
        log.warning("canary.burnt", capability=standing.capability, answers=spent.answers, errors=spent.errors)
        try:
            evidence = {"answers": spent.answers, "errors": spent.errors, "seconds": WINDOW_SECONDS}
            await self._step_back.step_back(standing.capability, evidence)
        except Exception:
            # The next error tries again.
            log.exception("canary.step-back-failed", capability=standing.capability)
