"""The checkout saga: its steps as data, and the one rule that moves along them. Sends nothing, stores nothing.

Forward: each step's command is answered good (next step) or bad (turn round). Backward: each done step is compensated,
in reverse. A step without an answer is repeated, then counts as in doubt: it is compensated like a done one, since the
command may have been carried out, and the receivers leave a mark for a command that comes after its compensation.
The last step is the pivot: once its command is sent the order can only be confirmed, or be refused by the receiver.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID


class Command(StrEnum):
    """What the saga asks of others; the values are the names on the wire."""

    RESERVE_STOCK = "reserve-stock"
    RELEASE_STOCK = "release-stock"
    CHARGE_CARD = "charge-card"
    REFUND_CARD = "refund-card"
    COMMIT_STOCK = "commit-stock"


class Reply(StrEnum):
    """What others answer; the values are the names on the wire."""

    STOCK_RESERVED = "stock-reserved"
    STOCK_REFUSED = "stock-refused"
    STOCK_RELEASED = "stock-released"
    CARD_CHARGED = "card-charged"
    CARD_DECLINED = "card-declined"
    CARD_REFUNDED = "card-refunded"
    STOCK_COMMITTED = "stock-committed"


@dataclass(frozen=True)
class Step:
    """One row of the table. `attempts` None: repeated without end."""

    command: Command
    good: Reply
    bad: Reply
    time_limit: timedelta
    attempts: int | None
    compensation: Command | None = None
    compensated: Reply | None = None


STEPS: tuple[Step, ...] = (
    Step(
        Command.RESERVE_STOCK,
        Reply.STOCK_RESERVED,
        Reply.STOCK_REFUSED,
        time_limit=timedelta(seconds=5),
        attempts=4,
        compensation=Command.RELEASE_STOCK,
        compensated=Reply.STOCK_RELEASED,
    ),
    Step(
        Command.CHARGE_CARD,
        Reply.CARD_CHARGED,
        Reply.CARD_DECLINED,
        time_limit=timedelta(seconds=10),
        attempts=4,
        compensation=Command.REFUND_CARD,
        compensated=Reply.CARD_REFUNDED,
    ),
    Step(
        Command.COMMIT_STOCK,
        Reply.STOCK_COMMITTED,
        Reply.STOCK_REFUSED,
        time_limit=timedelta(seconds=5),
        attempts=None,
    ),
)
COMPENSATION_LIMIT = timedelta(seconds=5)
LONGEST_WAIT = timedelta(minutes=1)


class Direction(StrEnum):
    FORWARD = "forward"
    BACKWARD = "backward"
    ENDED = "ended"


class Outcome(StrEnum):
    """What a move of the saga means for its order."""

    CONFIRM = "confirm"
    START_CANCELLING = "start-cancelling"
    CANCEL = "cancel"


@dataclass(frozen=True)
class Saga:
    """Where the checkout of one order stands; `due_at` is when the answer counts as missing."""

    order_id: UUID
    due_at: datetime
    step: int = 0
    direction: Direction = Direction.FORWARD
    attempt: int = 1
    reason: str | None = None


@dataclass(frozen=True)
class OpenSagas:
    """How many go in one direction; the age of the oldest in seconds, from the placing of its order."""

    direction: Direction
    count: int
    oldest_age: float


@dataclass(frozen=True)
class Move:
    """The saga afterwards, the command to send, and what happens to the order, in this order."""

    saga: Saga
    command: Command | None = None
    outcomes: tuple[Outcome, ...] = ()


class Checkout:
    """The rule over a table of steps."""

    def __init__(self, steps: Sequence[Step] = STEPS) -> None:
        self.steps = steps

    def begin(self, order_id: UUID, now: datetime) -> Move:
        """The first step's command."""
        return Move(Saga(order_id, now + self.steps[0].time_limit), self.steps[0].command)

    def answered(self, saga: Saga, reply: Reply, reason: str | None, now: datetime) -> Move | None:
        """The move that a reply causes; None when the saga does not wait for it (late, or a repetition)."""
        if saga.direction is Direction.ENDED:
            return None
        step = self.steps[saga.step]
        if saga.direction is Direction.BACKWARD:
            return self._back(saga, saga.step - 1, now) if reply is step.compensated else None
        if reply is step.good:
            return self._forward(saga, now)
        if reply is step.bad:
            return self._turn_round(saga, saga.step - 1, reason or reply.value, now)
        return None

    def timed_out(self, saga: Saga, now: datetime) -> Move:
        """Repeat the command at hand, or give the step up when its attempts are spent."""
        step = self.steps[saga.step]
        if saga.direction is Direction.BACKWARD:
            return self._repeat(saga, step.compensation, COMPENSATION_LIMIT, now)
        if step.attempts is not None and saga.attempt >= step.attempts:
            return self._turn_round(saga, saga.step, f"{step.command} timed out", now)
        return self._repeat(saga, step.command, step.time_limit, now)

    def cancelled(self, saga: Saga, reason: str, now: datetime) -> Move | None:
        """Turn round on the customer's wish; None at the pivot, when it is too late."""
        if saga.direction is not Direction.FORWARD or self.steps[saga.step].compensation is None:
            return None
        return self._turn_round(saga, saga.step, reason, now)

    def _forward(self, saga: Saga, now: datetime) -> Move:
        following = saga.step + 1
        if following == len(self.steps):
            return Move(replace(saga, direction=Direction.ENDED), outcomes=(Outcome.CONFIRM,))
        step = self.steps[following]
        return Move(replace(saga, step=following, attempt=1, due_at=now + step.time_limit), step.command)

    def _turn_round(self, saga: Saga, first: int, reason: str, now: datetime) -> Move:
        turned = replace(saga, direction=Direction.BACKWARD, reason=reason)
        move = self._back(turned, first, now)
        return replace(move, outcomes=(Outcome.START_CANCELLING, *move.outcomes))

    def _back(self, saga: Saga, step: int, now: datetime) -> Move:
        if step < 0:
            return Move(replace(saga, direction=Direction.ENDED), outcomes=(Outcome.CANCEL,))
        moved = replace(saga, step=step, attempt=1, due_at=now + COMPENSATION_LIMIT)
        return Move(moved, self.steps[step].compensation)

    def _repeat(self, saga: Saga, command: Command | None, limit: timedelta, now: datetime) -> Move:
        wait = min(LONGEST_WAIT, limit * 2 ** min(saga.attempt, 10))
        return Move(replace(saga, attempt=saga.attempt + 1, due_at=now + wait), command)
