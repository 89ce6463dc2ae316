"""The addresses that belong to no capability, once the old shop has retired: its health, and what is nowhere."""

from facade.adapters import render
from facade.adapters.routes import Routes
from facade.legacy_http import LegacyRequest, LegacyResponse


class ElsewhereAdapter(Routes):
    """An `Upstream` for the rest."""

    def __init__(self) -> None:
        super().__init__({"/legacy": {"GET": _to_the_door}, "/legacy/health": {"GET": _health}})


async def _to_the_door(_: LegacyRequest, __: int) -> LegacyResponse:
    # The framework of the old shop names its own host here, which nobody outside can reach.
    return render.html("", 308, ("Location", "/legacy/"))


async def _health(_: LegacyRequest, __: int) -> LegacyResponse:
    return render.text("ok")
