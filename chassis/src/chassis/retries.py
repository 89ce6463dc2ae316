"""Retries: at one layer only, bounded by attempts, by the deadline and by a budget shared by all calls to an upstream.

Five layers of three tries are 243 calls on a service that is already in trouble; a budget of 20 % of the requests keeps
the load of a retry storm at 1.2 times the normal (Envoy and failsafe-go use the same figure).
"""

import asyncio
import random
import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from chassis import deadlines

T = TypeVar("T")


class Retryable(Exception):
    """Carries a failure that another attempt may mend, with the upstream's own wish for a pause in seconds."""

    def __init__(self, cause: Exception, retry_after: float | None = None) -> None:
        super().__init__(str(cause))
        self.cause = cause
        self.retry_after = retry_after


class RetryBudget:
    """Allows retries up to `ratio` of the requests of the last `window` seconds, plus `floor`."""

    def __init__(
        self,
        ratio: float = 0.2,
        floor: int = 3,
        window: float = 10.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._ratio, self._floor, self._window, self._clock = ratio, floor, window, clock
        self._requests: deque[float] = deque()
        self._retries: deque[float] = deque()

    def request(self) -> None:
        """Count a first attempt."""
        self._requests.append(self._clock())
        self._forget(self._requests)

    def withdraw(self) -> bool:
        """Take one retry from the budget; False when it is spent."""
        self._forget(self._requests)
        self._forget(self._retries)
        if len(self._retries) >= self._floor + self._ratio * len(self._requests):
            return False
        self._retries.append(self._clock())
        return True

    def _forget(self, times: deque[float]) -> None:
        horizon = self._clock() - self._window
        while times and times[0] <= horizon:
            times.popleft()


@dataclass(frozen=True)
class RetryPolicy:
    """At most `attempts` calls with pauses drawn from 0..min(cap, first · 2ⁿ) seconds: exponential with full jitter.

    An upstream that asks for a pause of `patience` seconds or more is not called again.
    """

    attempts: int = 3
    first: float = 0.05
    cap: float = 1.0
    patience: float = 5.0

    def pause(self, attempt: int) -> float:
        """Seconds to wait after the given failed attempt (the first is 1)."""
        return random.uniform(0, min(self.cap, self.first * 2 ** (attempt - 1)))  # noqa: S311 - spreads load, no secret


async def retry(call: Callable[[], Awaitable[T]], policy: RetryPolicy, budget: RetryBudget) -> T:
    """Await `call()` until it succeeds, raises something other than `Retryable`, or a bound is reached.

    When a bound is reached the cause of the last `Retryable` is raised. A `retry_after` longer than the time left ends
    the attempts at once: waiting for an answer that nobody will read helps no one.
    """
    budget.request()
    attempt = 1
    while True:
        try:
            return await call()
        except Retryable as failure:
            pause = policy.pause(attempt) if failure.retry_after is None else failure.retry_after
            if attempt >= policy.attempts or pause >= min(policy.patience, _time_left()) or not budget.withdraw():
                raise failure.cause from failure
        await asyncio.sleep(pause)
        attempt += 1


def _time_left() -> float:
    try:
        return deadlines.remaining(deadlines.MAX_MILLISECONDS / 1000)
    except deadlines.DeadlineExceeded:
        return 0
