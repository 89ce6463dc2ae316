"""Which handler answers an address, and what the old shop's framework says where there is none."""

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from urllib.parse import unquote

from facade.adapters import render
from facade.adapters.forms import BodyTooLarge
from facade.legacy_http import LegacyRequest, LegacyResponse

# The number of the address, 0 where it has none.
Handler = Callable[[LegacyRequest, int], Awaitable[LegacyResponse]]
Handlers = Mapping[str, Handler]  # by method
_ID = "{id}"
_ENDS_WITH_NUMBER = re.compile(r"(.*/)(\d{1,40})")


class Routes:
    """An `Upstream` over a table from address to handlers; `{id}` at its end stands for a number."""

    def __init__(self, table: Mapping[str, Handlers]) -> None:
        self._table = table

    async def answer(self, request: LegacyRequest) -> LegacyResponse:
        """Raises `CannotAnswer`, and `OutcomeUnknown` for an order that may have been placed."""
        answer = await self._answer(request)
        return replace(answer, body=b"") if request.method == "HEAD" else answer

    async def _answer(self, request: LegacyRequest) -> LegacyResponse:
        handlers, number = self._find(unquote(request.path, errors="replace"))
        if not handlers:
            return _NOT_FOUND
        if request.method == "OPTIONS":
            return render.html("", 200, ("Allow", _allowed(handlers)))
        handler = handlers.get("GET" if request.method == "HEAD" else request.method)
        if handler is None:
            return render.html(_METHOD_NOT_ALLOWED, 405, ("Allow", _allowed(handlers)))
        try:
            return await handler(request, number)
        except BodyTooLarge:
            return _TOO_LARGE

    def _find(self, path: str) -> tuple[Handlers, int]:
        if (found := self._table.get(path)) is not None and not path.endswith(_ID):
            return found, 0
        if (match := _ENDS_WITH_NUMBER.fullmatch(path)) is not None:
            return self._table.get(match[1] + _ID, {}), int(match[2])
        return {}, 0


def _allowed(handlers: Handlers) -> str:
    return ", ".join(sorted({*handlers, "OPTIONS", *(("HEAD",) if "GET" in handlers else ())}))


def _error_page(title: str, words: str) -> str:
    heading = title.partition(" ")[2]
    return f"<!doctype html>\n<html lang=en>\n<title>{title}</title>\n<h1>{heading}</h1>\n<p>{words}</p>\n"


_NOT_FOUND = render.html(
    _error_page(
        "404 Not Found",
        "The requested URL was not found on the server. If you entered the URL manually please check your spelling and"
        " try again.",
    ),
    404,
)
_METHOD_NOT_ALLOWED = _error_page("405 Method Not Allowed", "The method is not allowed for the requested URL.")
_TOO_LARGE = render.html(
    _error_page("413 Request Entity Too Large", "The data value transmitted exceeds the capacity limit."), 413
)
