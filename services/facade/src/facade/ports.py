"""The seams between the parts of the facade: what each may expect of the others."""

from typing import Protocol

from facade.domain import Capability, Standing
from facade.legacy_http import LegacyRequest, LegacyResponse


class CannotAnswer(Exception):
    """This side gives no answer now: unreachable, too slow, or not able to translate. Nothing has taken effect."""


class Upstream(Protocol):
    """One side: the old shop itself, or an adapter over the new services. Raises `CannotAnswer`."""

    async def answer(self, request: LegacyRequest) -> LegacyResponse: ...


class Standings(Protocol):
    """Where each capability stands, as this replica last saw it."""

    def of(self, capability: Capability) -> Standing: ...
