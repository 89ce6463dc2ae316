"""Retries are bounded by attempts, by the deadline, by the upstream's wish, and by a budget for all callers."""

import asyncio
import time
from contextvars import copy_context
from dataclasses import dataclass, field

import pytest

from chassis import deadlines
from chassis.retries import Retryable, RetryBudget, RetryPolicy, retry

QUICK = RetryPolicy(attempts=3, first=0.001, cap=0.002)


class Down(Exception):
    """The cause that a caller sees."""


@dataclass
class Upstream:
    """Fails `failures` times, then answers; counts its calls."""

    failures: int
    retry_after: float | None = None
    called_at: list[float] = field(default_factory=list)

    async def call(self) -> str:
        self.called_at.append(time.monotonic())
        if len(self.called_at) <= self.failures:
            raise Retryable(Down(), self.retry_after)
        return "answer"


async def test_another_attempt_mends_a_passing_failure() -> None:
    upstream = Upstream(failures=2)
    assert await retry(upstream.call, QUICK, RetryBudget()) == "answer"
    assert len(upstream.called_at) == 3


async def test_after_the_last_attempt_the_cause_is_raised() -> None:
    upstream = Upstream(failures=99)
    with pytest.raises(Down):
        await retry(upstream.call, QUICK, RetryBudget())
    assert len(upstream.called_at) == QUICK.attempts


async def test_an_upstream_that_is_down_sees_at_most_a_fifth_more_calls_plus_three() -> None:
    upstream, budget, requests = Upstream(failures=10**9), RetryBudget(), 200

    async def request() -> None:
        with pytest.raises(Down):
            await retry(upstream.call, QUICK, budget)

    await asyncio.gather(*(request() for _ in range(requests)))
    assert requests < len(upstream.called_at) <= 1.2 * requests + 3


async def test_the_budget_comes_back_as_requests_go_well() -> None:
    now = 0.0
    budget = RetryBudget(ratio=0.2, floor=3, window=10, clock=lambda: now)
    budget.request()
    assert [budget.withdraw() for _ in range(5)] == [True, True, True, True, False]
    now = 11.0
    assert budget.withdraw()


async def test_the_upstreams_wish_for_a_pause_is_obeyed() -> None:
    upstream = Upstream(failures=1, retry_after=0.3)
    await retry(upstream.call, QUICK, RetryBudget())
    first, second = upstream.called_at
    assert second - first >= 0.29


async def test_a_wish_for_a_long_pause_ends_the_attempts_at_once() -> None:
    upstream = Upstream(failures=1, retry_after=60)
    with pytest.raises(Down):
        await retry(upstream.call, QUICK, RetryBudget())
    assert len(upstream.called_at) == 1


async def test_no_attempt_is_made_beyond_the_deadline() -> None:
    upstream = Upstream(failures=99, retry_after=0.5)

    async def work() -> None:
        deadlines.begin(0.2)
        with pytest.raises(Down):
            await retry(upstream.call, QUICK, RetryBudget())

    begun = time.monotonic()
    await asyncio.create_task(work(), context=copy_context())
    assert len(upstream.called_at) == 1
    assert time.monotonic() - begun < 0.4, "nobody waits for an answer after the deadline"


async def test_other_errors_are_not_retried() -> None:
    calls = 0

    async def call() -> None:
        nonlocal calls
        calls += 1
        raise LookupError

    with pytest.raises(LookupError):
        await retry(call, QUICK, RetryBudget())
    assert calls == 1


def test_pauses_are_drawn_from_a_range_that_doubles_up_to_the_cap() -> None:
    policy = RetryPolicy(first=0.05, cap=1.0)
    for attempt, most in [(1, 0.05), (2, 0.1), (3, 0.2), (20, 1.0)]:
        pauses = [policy.pause(attempt) for _ in range(200)]
        assert max(pauses) <= most
        assert min(pauses) < most / 4, "without jitter all callers come back together"
