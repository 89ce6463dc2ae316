"""The seams between the parts of the facade: what each may expect of the others."""

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Protocol

from facade.domain import Capability, Side, Standing
from facade.legacy_http import LegacyRequest, LegacyResponse


class CannotAnswer(Exception):
    """This side gives no answer now: unreachable, too slow, or not able to translate. Nothing has taken effect."""


class Upstream(Protocol):
    """One side: the old shop itself, or an adapter over the new services. Raises `CannotAnswer`."""

    async def answer(self, request: LegacyRequest) -> LegacyResponse: ...


class Standings(Protocol):
    """Where each capability stands, as this replica last saw it."""

    def of(self, capability: Capability) -> Standing: ...


class SeededBug(Protocol):
    """The mistake that an operator has switched on for the story, as this replica last saw it."""

    @property
    def bug(self) -> str | None: ...


class Parking(Protocol):
    """Where writes wait while their capability changes sides. Reads go by `Standings` and never wait."""

    def write(self, capability: Capability) -> AbstractAsyncContextManager[Side]:
        """`async with parking.write(capability) -> side`: the write goes to that side, and ends within the block.

        Waits while the capability is parked, three seconds at most, then raises `CannotAnswer`: nothing was sent.
        The side cannot change before the block is left, so leave it as soon as the answer is there.
        """


@dataclass(frozen=True)
class Mismatch:
    """Two answers to one request that do not say the same. No bodies: `differences` are short, and name no customer."""

    method: str
    path: str
    differences: tuple[Mapping[str, Any], ...]


class Tally(Protocol):
    """What this replica has seen, capability by capability. Only adds in memory; it is stored each second."""

    def answered(self, capability: Capability, side: Side, milliseconds: float) -> None:
        """A customer has got an answer, and this side made it."""

    def measured(self, capability: Capability, side: Side, milliseconds: float) -> None:
        """This side made an answer that no customer saw."""

    def failed(self, capability: Capability, side: Side) -> None:
        """This side could not answer a customer; that the other one then did is counted by `answered`."""

    def matched(self, capability: Capability) -> None: ...

    def mismatched(self, capability: Capability, mismatch: Mismatch) -> None: ...

    def dropped(self, capability: Capability) -> None:
        """A request was not compared: the queue was full, or the old shop gave no answer to compare with."""


class StepBack(Protocol):
    """How the error budget gets a capability back to where the old shop answers."""

    async def step_back(self, capability: Capability, evidence: Mapping[str, Any]) -> None:
        """Out of canary into shadow, in the facade's own name; nothing happens in any other stage."""


class Placed(Protocol):
    """Which orders the new side has taken: before the old shop takes over again it must have them."""

    async def placed(self, number: int) -> None:
        """Call it inside of `Parking.write`. Never raises: the order is placed, whatever becomes of the note."""


class Quotes(Protocol):
    """What the new side would make of an order that the old shop has taken, without any effect."""

    async def quote(self, request: LegacyRequest, answer: LegacyResponse) -> tuple[Any, Any] | None:
        """The order as the old shop took it, and as the new side would: two trees of the same form, to be compared.

        For example `{"items": [{"id", "title", "qty", "price"}], "total"}`, without what only one side can know (the
        number, the time). None: this answer took no order. Raises `CannotAnswer`.
        """
