"""What becomes of a difference when both sides are given a moment: lag goes away, a fault stays."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from facade.comparison import Difference, Kind
from facade.comparison.question import Question

# After the first look: what the bridge delivers within its two seconds has arrived by then.
PAUSES = (0.5, 1.0)
Sleep = Callable[[float], Awaitable[None]]


class Outcome(StrEnum):
    """How a comparison ended; `settled` is a match that came late."""

    MATCHED = "matched"
    SETTLED = "settled"
    MISMATCHED = "mismatched"


@dataclass(frozen=True)
class Verdict:
    """`differences` is empty unless mismatched."""

    outcome: Outcome
    differences: tuple[Difference, ...] = ()


async def settle(
    question: Question, first: Sequence[Difference], pauses: Sequence[float] = PAUSES, sleep: Sleep = asyncio.sleep
) -> Verdict:
    """Ask both sides again after each pause; counts only what was wrong every time, at the same place, in the same way.

    And only where the old shop said the same every time: what is written to at every look is late at every look.
    """
    left = list(first)
    for pause in pauses:
        await sleep(pause)
        now = {_place(each): each for each in await question.differences()}
        left = [now[_place(each)] for each in left if _place(each) in now]
        if not left:
            return Verdict(Outcome.SETTLED)
    return Verdict(Outcome.MISMATCHED, tuple(left))


def _place(difference: Difference) -> tuple[str, Kind, str | None]:
    return difference.path, difference.kind, difference.legacy
