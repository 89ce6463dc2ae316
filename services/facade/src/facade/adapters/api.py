"""What all routes of the old JSON API have in common: 200 whatever happens, and the reason of a refusal as a text."""

from facade.adapters import render
from facade.adapters.errors import ShopError
from facade.adapters.routes import Handler
from facade.legacy_http import LegacyRequest, LegacyResponse


def told(handler: Handler) -> Handler:
    """The handler, with refusals as answers."""

    async def handle(request: LegacyRequest, number: int) -> LegacyResponse:
        try:
            return await handler(request, number)
        except ShopError as error:
            return render.error(str(error))

    return handle
