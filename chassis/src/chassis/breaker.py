"""Circuit breaker for asyncio: pybreaker holds the state, this file decides admission and reports outcomes.

pybreaker under asyncio measures the making of a coroutine, admits every caller when half-open and takes a cancelled
call for a failure. So the call runs outside it: `admit` before, one of `succeeded`, `failed`, `ignored` after.
pybreaker counts consecutive failures only; the rate over a window (as in resilience4j and Polly) is added here.
"""

import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

import pybreaker
from prometheus_client import Counter, Gauge

T = TypeVar("T")

STATE = Gauge("breaker_state", "0 closed, 1 half-open, 2 open", ["breaker"])
CALLS = Counter("breaker_calls_total", "Guarded calls by outcome", ["breaker", "outcome"])
TRANSITIONS = Counter("breaker_transitions_total", "Changes of state", ["breaker", "to"])
_STATE_NUMBER = {pybreaker.STATE_CLOSED: 0, pybreaker.STATE_HALF_OPEN: 1, pybreaker.STATE_OPEN: 2}


class BreakerOpen(Exception):
    """The call was not made. `retry_after`: seconds until a probe may be admitted."""

    def __init__(self, name: str, retry_after: float) -> None:
        super().__init__(f"{name} is failing; calls are suspended")
        self.retry_after = retry_after


@dataclass(frozen=True)
class BreakerPolicy:
    """Open after `consecutive` failures, or when `failure_ratio` of at least `minimum` calls in `window` s failed."""

    consecutive: int = 5
    failure_ratio: float = 0.5
    minimum: int = 20
    window: float = 30.0
    open_seconds: float = 5.0
    calls_kept: int = 200


class Breaker:
    """One breaker for each upstream and class of operation. Not thread-safe: it belongs to one event loop."""

    def __init__(
        self, name: str, policy: BreakerPolicy | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.name = name
        self._policy = policy or BreakerPolicy()
        self._clock = clock
        self._machine = pybreaker.CircuitBreaker(name=name)
        self._epoch = 0
        self._opened_at = 0.0
        self._probing = False
        self._consecutive = 0
        self._calls: deque[tuple[float, bool]] = deque(maxlen=self._policy.calls_kept)
        self._outcomes = {o: CALLS.labels(name, o) for o in ("success", "failure", "ignored", "rejected")}
        STATE.labels(name).set(0)

    @property
    def state(self) -> str:
        """`closed`, `half-open` or `open`."""
        return self._machine.current_state

    def admit(self) -> int:
        """Return the ticket to report the outcome with; raises `BreakerOpen` when the call must not be made."""
        state = self._machine.current_state
        if state == pybreaker.STATE_CLOSED:
            return self._epoch
        if state == pybreaker.STATE_OPEN and self._clock() - self._opened_at >= self._policy.open_seconds:
            self._become(pybreaker.STATE_HALF_OPEN)
        elif state == pybreaker.STATE_OPEN or self._probing:
            self._outcomes["rejected"].inc()
            raise BreakerOpen(self.name, self._wait())
        self._probing = True
        return self._epoch

    def succeeded(self, ticket: int) -> None:
        """Report an answer that shows the upstream well: also a 4xx."""
        self._outcomes["success"].inc()
        if ticket != self._epoch:
            return
        if self._probing:
            self._become(pybreaker.STATE_CLOSED)
            return
        self._consecutive = 0
        self._calls.append((self._clock(), False))

    def failed(self, ticket: int) -> None:
        """Report a failure of the upstream: 500, 502, 503, 504, no connection, no answer in time."""
        self._outcomes["failure"].inc()
        if ticket != self._epoch:
            return
        if self._probing:
            self._become(pybreaker.STATE_OPEN)
            return
        self._consecutive += 1
        self._calls.append((self._clock(), True))
        if self._consecutive >= self._policy.consecutive or self._rate_exceeded():
            self._become(pybreaker.STATE_OPEN)

    def ignored(self, ticket: int) -> None:
        """Report a call that says nothing about the upstream: cancelled, or refused by our own pool."""
        self._outcomes["ignored"].inc()
        if ticket == self._epoch:
            self._probing = False

    async def call(self, operation: Callable[[], Awaitable[T]], failures: tuple[type[Exception], ...]) -> T:
        """Await `operation()` under the breaker; `failures` are those exceptions that count against the upstream."""
        ticket = self.admit()
        try:
            result = await operation()
        except failures:
            self.failed(ticket)
            raise
        except Exception:
            self.succeeded(ticket)
            raise
        except BaseException:
            self.ignored(ticket)
            raise
        self.succeeded(ticket)
        return result

    def _rate_exceeded(self) -> bool:
        horizon = self._clock() - self._policy.window
        while self._calls and self._calls[0][0] <= horizon:
            self._calls.popleft()
        failures = sum(failed for _, failed in self._calls)
        enough = len(self._calls) >= self._policy.minimum
        return enough and failures / len(self._calls) >= self._policy.failure_ratio

    def _wait(self) -> float:
        return max(0.1, self._opened_at + self._policy.open_seconds - self._clock())

    def _become(self, state: str) -> None:
        # A new epoch voids the tickets of calls begun before it: a late success must not close an open circuit.
        self._epoch += 1
        self._probing = False
        self._consecutive = 0
        self._calls.clear()
        if state == pybreaker.STATE_OPEN:
            self._opened_at = self._clock()
            self._machine.open()
        elif state == pybreaker.STATE_HALF_OPEN:
            self._machine.half_open()
        else:
            self._machine.close()
        STATE.labels(self.name).set(_STATE_NUMBER[state])
        TRANSITIONS.labels(self.name, state).inc()
