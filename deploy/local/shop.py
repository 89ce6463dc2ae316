"""The shop's public API as a client sees it, through the gateway only: enough to seed it and to buy."""

import asyncio
from collections.abc import Mapping
from typing import Any

import httpx
from httpx_aiohttp import AiohttpTransport

from deploy.local.screen import RunError

BUSY = frozenset({429, 502, 503, 504})
ATTEMPTS = 8


class Shop:
    """One client of the gateway. Use as `async with Shop(url) as shop`."""

    def __init__(self, url: str, transport: httpx.AsyncBaseTransport | None = None) -> None:
        # Not httpx's own pool, which is slow when many requests share it.
        self._http = httpx.AsyncClient(base_url=url, transport=transport or AiohttpTransport(), timeout=15)

    async def __aenter__(self) -> "Shop":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.aclose()

    async def login(self, email: str, password: str) -> None:
        """Act as this account from now on."""
        answer = await self.call("POST", "/api/identity/tokens", json={"email": email, "password": password})
        self._http.headers["Authorization"] = f"Bearer {answer['access_token']}"

    async def call(
        self,
        method: str,
        path: str,
        *,
        json: Any = None,
        params: Mapping[str, str | int] | None = None,
        headers: Mapping[str, str] | None = None,
        accept: frozenset[int] = frozenset(),
        attempts: int = ATTEMPTS,
    ) -> Any:
        """The body of a good answer. A busy shop is asked again; a problem outside `accept` is a RunError."""
        for attempt in range(attempts):
            answer = await self._try(self._http.build_request(method, path, json=json, params=params, headers=headers))
            if answer.status_code not in BUSY or attempt == attempts - 1:
                break
            await asyncio.sleep(_pause(answer, attempt))
        if answer.is_error and answer.status_code not in accept:
            raise RunError(f"{method} {path} was answered {answer.status_code}: {answer.text[:400]}")
        return answer.json() if answer.content else None

    async def _try(self, request: httpx.Request) -> httpx.Response:
        try:
            return await self._http.send(request)
        except httpx.TransportError as error:
            # A gateway that is being restarted: as good as one that says so.
            return httpx.Response(503, text=f"no answer ({error!r})")


def _pause(answer: httpx.Response, attempt: int) -> float:
    asked = answer.headers.get("Retry-After", "")
    return float(asked) if asked.isdigit() else float(min(0.1 * 2**attempt, 2))
