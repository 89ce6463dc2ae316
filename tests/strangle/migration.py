"""The operators' API of the facade, as the story uses it."""

import asyncio
from collections.abc import Mapping
from typing import Any, Self

import httpx
from httpx_aiohttp import AiohttpTransport

from deploy.local.programs import OPERATOR_EMAIL
from deploy.local.screen import RunError

PREFIX = "/api/migration"


class RefusedMove(Exception):
    """The guard did not let a capability move; the message is the facade's own."""


class Migration:
    """One operator, logged in. Use as `async with Migration(url, password)`."""

    def __init__(self, url: str, password: str) -> None:
        self._http = httpx.AsyncClient(base_url=url, transport=AiohttpTransport(), timeout=15)
        self._password = password

    async def __aenter__(self) -> Self:
        await self._log_in()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.aclose()

    async def status(self) -> Mapping[str, Any]:
        """Each capability by its name, with its figures."""
        found = await self._call("GET", "/capabilities")
        return {entry["name"]: entry for entry in found["items"]}

    async def move(self, capability: str, to: str, *, percent: int | None = None, force: str | None = None) -> None:
        """Move a capability; `force` is the reason for doing it against the guard. Raises `RefusedMove`."""
        body: dict[str, Any] = {"to": to, "reason": force or "make strangle", "force": force is not None}
        if percent is not None:
            body["percent"] = percent
        await self._call("PUT", f"/capabilities/{capability}/stage", body)

    async def mismatches(self, capability: str) -> list[Any]:
        """Samples of what the comparison found, the newest first."""
        found = await self._call("GET", f"/mismatches?capability={capability}")
        items: list[Any] = found["items"]
        return items

    async def seed_bug(self, bug: str | None) -> None:
        """Plant a bug in the adapter of the catalogue, or take it out."""
        await self._call("PUT", "/seeded-bug", {"bug": bug})

    async def _log_in(self) -> None:
        body = {"email": OPERATOR_EMAIL, "password": self._password}
        try:
            answer = await self._http.post("/api/identity/tokens", json=body)
        except httpx.TransportError as error:
            raise RunError(f"no shop at {self._http.base_url}: {error!r}", "make up") from error
        if answer.status_code != 200:
            raise RunError(f"the operator could not log in: {answer.status_code}", "make status")
        self._http.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"

    async def _call(self, method: str, path: str, body: Any = None) -> Any:
        for _ in range(20):
            try:
                answer = await self._http.request(method, PREFIX + path, json=body)
            except httpx.TransportError as error:
                raise RunError(f"{method} {path} was not answered: {error!r}", "make status") from error
            if answer.status_code == 401:  # a token lives ten minutes
                await self._log_in()
            elif answer.status_code not in (502, 503, 504):
                break
            await asyncio.sleep(0.2)
        if answer.status_code == 409:
            raise RefusedMove(answer.json().get("detail", answer.text))
        if answer.is_error:
            raise RunError(f"{method} {path} was answered {answer.status_code}: {answer.text[:300]}")
        return answer.json() if answer.content else None
