"""The time that is left for the work at hand: received in a header, lowered hop by hop, checked before work starts.

Time left travels, never a time of day: clocks of two machines differ by more than a time limit is long.
"""

import time
from contextvars import ContextVar

HEADER = "x-request-deadline"
MAX_MILLISECONDS = 600_000

_deadline: ContextVar[float | None] = ContextVar("deadline", default=None)


class DeadlineExceeded(Exception):
    """The caller has given up; the work was not started, or was cancelled."""


def parse(value: str) -> float:
    """Seconds left from a header value in milliseconds; `ValueError` unless it is a whole number in 0..600000."""
    if not (value.isascii() and value.isdigit()) or int(value) > MAX_MILLISECONDS:
        raise ValueError("X-Request-Deadline must be whole milliseconds, 0 to 600000")
    return int(value) / 1000


def begin(seconds_left: float) -> None:
    """Set the deadline of the current task and of the tasks that it starts."""
    _deadline.set(time.monotonic() + seconds_left)


def remaining(limit: float) -> float:
    """Seconds that a call of at most `limit` seconds may take; raises `DeadlineExceeded` when none are left."""
    deadline = _deadline.get()
    if deadline is None:
        return limit
    left = deadline - time.monotonic()
    if left <= 0:
        raise DeadlineExceeded
    return min(limit, left)
