"""More than one error in twenty, and the facade steps back by itself, once."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from facade.budget import ErrorBudget, Guard, Spent
from facade.domain import Capability, Stage, Standing
from services.facade.tests.answers import until

STANDING = Standing(Capability.CATALOG, Stage.CANARY, 10, False, 3, datetime.now(UTC))


@dataclass
class Clock:
    now: float = 100.0

    def __call__(self) -> float:
        return self.now


@dataclass
class FakeStepBack:
    """Remembers the steps; each waits for `gate`."""

    steps: list[Mapping[str, Any]] = field(default_factory=list)
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    error: Exception | None = None

    async def step_back(self, capability: Capability, evidence: Mapping[str, Any]) -> None:
        self.steps.append({"capability": capability, **evidence})
        await self.gate.wait()
        if self.error is not None:
            raise self.error


def spend(budget: ErrorBudget, answers: int, errors: int) -> Spent:
    for number in range(answers):
        spent = budget.record(number < errors)
    return spent


def test_a_few_errors_are_what_a_budget_is_for() -> None:
    assert not spend(ErrorBudget(), 100, 5).burnt


def test_one_in_twenty_is_too_many() -> None:
    assert spend(ErrorBudget(), 100, 6).burnt


def test_a_handful_of_answers_says_nothing() -> None:
    assert not spend(ErrorBudget(), 49, 49).burnt
    assert spend(ErrorBudget(), 50, 50).burnt


def test_errors_are_forgotten_after_thirty_seconds() -> None:
    clock = Clock()
    budget = ErrorBudget(clock)
    spend(budget, 49, 49)
    clock.now += 30
    assert spend(budget, 60, 0) == Spent(60, 0)


def test_every_tenth_error_burns_a_budget_that_errors_in_a_row_would_not() -> None:
    budget = ErrorBudget()
    assert any(budget.record(number % 10 == 0).burnt for number in range(100))


async def test_a_burnt_budget_steps_back_once_and_says_why() -> None:
    stepping = FakeStepBack()
    guard = Guard(stepping)
    for number in range(200):
        guard.record(STANDING, error=number % 2 == 0)
    await until(lambda: bool(stepping.steps))
    assert stepping.steps == [{"capability": Capability.CATALOG, "answers": 50, "errors": 25, "seconds": 30}]


async def test_a_step_back_that_failed_is_tried_again() -> None:
    stepping = FakeStepBack(error=ConnectionError("no database"))
    stepping.gate.set()
    guard = Guard(stepping)
    for wanted in (1, 2):
        for _ in range(60):
            guard.record(STANDING, error=True)
        await until(lambda wanted=wanted: len(stepping.steps) == wanted)  # type: ignore[misc]
        await asyncio.sleep(0)


async def test_another_generation_has_a_budget_of_its_own() -> None:
    stepping = FakeStepBack()
    guard = Guard(stepping)
    for _ in range(49):
        guard.record(STANDING, error=True)
    guard.record(replace(STANDING, generation=4), error=True)
    await asyncio.sleep(0)
    assert stepping.steps == []


async def test_a_late_answer_of_an_earlier_generation_does_not_forgive_errors() -> None:
    stepping = FakeStepBack()
    guard = Guard(stepping)
    now = replace(STANDING, generation=4)
    for _ in range(25):
        guard.record(now, error=True)
    guard.record(STANDING, error=False)
    for _ in range(25):
        guard.record(now, error=True)
    await until(lambda: bool(stepping.steps))
    assert (stepping.steps[0]["answers"], stepping.steps[0]["errors"]) == (50, 50)
