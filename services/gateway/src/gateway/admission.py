"""Who gets in now: a rate for each client, a ceiling for all, a bulkhead for each upstream.

Refusing early is the point: a request that will fail in any case must not take a place from one that can succeed.
"""

import time
from collections import OrderedDict
from collections.abc import Callable, Mapping

from gateway import problems
from gateway.problems import Refusal, retry_after
from gateway.routes import Rate


class RateLimiter:
    """A token bucket for each client and class of rate, filled at `rate` a second up to twice that.

    At most `clients` buckets are kept, the least recently used one goes: a flood of new addresses costs bounded
    memory, and at worst gives back a full bucket to a client that was quiet.
    """

    BURST_SECONDS = 2.0

    def __init__(self, rates: Mapping[Rate, float], clients: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._intervals = {rate: 1 / per_second for rate, per_second in rates.items()}
        self._clients = clients
        self._clock = clock
        # The value is the time at which the bucket will be full again: one number instead of level and stamp.
        self._full_at: OrderedDict[tuple[Rate, object], float] = OrderedDict()

    def take(self, rate: Rate, client: object) -> None:
        """Take one token; raises `Refusal` (429) when there is none."""
        now = self._clock()
        key = (rate, client)
        full_at = self._full_at.get(key, now)
        if full_at < now:
            full_at = now
        full_at += self._intervals[rate]
        wait = full_at - now - self.BURST_SECONDS
        if wait > 1e-6:  # not zero: the sum of many 1/rate is not exact
            detail = "This client sends more requests than is allowed"
            raise Refusal(problems.TOO_MANY_REQUESTS, detail, "rate-limit", (retry_after(wait),))
        self._full_at[key] = full_at
        self._full_at.move_to_end(key)
        if len(self._full_at) > self._clients:
            self._full_at.popitem(last=False)

    def __len__(self) -> int:
        return len(self._full_at)


class Bulkhead:
    """At most `limit` requests at once; beyond it they are refused (503), not queued: a queue hides overload."""

    def __init__(self, limit: int, reason: str, detail: str) -> None:
        self._limit = limit
        self._reason = reason
        self._detail = detail
        self.in_flight = 0

    def enter(self) -> None:
        """Take a place; raises `Refusal`. Every `enter` needs one `leave`."""
        if self.in_flight >= self._limit:
            raise Refusal(problems.UNAVAILABLE, self._detail, self._reason, (retry_after(1),))
        self.in_flight += 1

    def leave(self) -> None:
        """Give the place back."""
        self.in_flight -= 1
