"""Something that both sides can be asked more than once, and what their answers differ in."""

import asyncio
from dataclasses import replace
from typing import Protocol

from facade.comparison import Difference, Kind, compare
from facade.comparison.difference import within
from facade.comparison.pace import Compare
from facade.domain import Side
from facade.legacy_http import LegacyRequest, LegacyResponse
from facade.ports import CannotAnswer, Quotes, Upstream

# A side that fails has to show in the match rate: otherwise one that answers every second time would be promoted.
NO_ANSWER = Difference("status", Kind.STATUS, None, "no answer")


class Question(Protocol):
    """Raises `CannotAnswer` when the old shop gives nothing to compare with."""

    async def differences(self) -> list[Difference]: ...


class Read:
    """A request that changes nothing. `answer` is what the customer got, from `side`; the other is asked for its own.

    Noise: when the first comparison fails the old shop is asked again. Where it contradicts itself, nothing can be
    held against the other side, this time.
    """

    def __init__(
        self,
        legacy: Upstream,
        modern: Upstream,
        request: LegacyRequest,
        side: Side,
        answer: LegacyResponse,
        compare: Compare,
    ) -> None:
        self._legacy = legacy
        self._modern = modern
        self._request = request
        self._compare = compare
        self._known: dict[Side, LegacyResponse] = {side: answer}
        self._noisy: frozenset[str] | None = None

    async def differences(self) -> list[Difference]:
        legacy, modern = await asyncio.gather(self._ask_legacy(), self._ask_modern())
        if isinstance(modern, Difference):
            return [modern]
        found = await self._compare(legacy, modern)
        if found and self._noisy is None:
            again = await self._ask_legacy()
            self._noisy = frozenset(each.path for each in await self._compare(legacy, again))
        return [each for each in found if not within(each.path, self._noisy or frozenset())]

    async def _ask_legacy(self) -> LegacyResponse:
        # What is known is good for one look: the next one is later.
        return self._known.pop(Side.LEGACY, None) or await self._legacy.answer(self._request)

    async def _ask_modern(self) -> LegacyResponse | Difference:
        if (known := self._known.pop(Side.MODERN, None)) is not None:
            return known
        try:
            return await self._modern.answer(self._request)
        except (CannotAnswer, TimeoutError):
            return NO_ANSWER
        except Exception as error:
            # Not logged: the sample names it, and it would be the same line for each request.
            return replace(NO_ANSWER, modern=f"no answer, {type(error).__name__}")


class Write:
    """An order that the old shop has taken. It cannot be placed twice: the new side is asked what it would cost."""

    def __init__(self, quotes: Quotes, request: LegacyRequest, answer: LegacyResponse) -> None:
        self._quotes = quotes
        self._request = request
        self._answer = answer

    async def differences(self) -> list[Difference]:
        try:
            pair = await self._quotes.quote(self._request, self._answer)
        except (CannotAnswer, TimeoutError):
            return [NO_ANSWER]
        if pair is None:
            raise NothingToCompare
        return compare(*pair)


class NothingToCompare(Exception):
    """The old shop took no order."""
