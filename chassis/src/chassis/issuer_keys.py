"""The token issuer's public keys, fetched over HTTP for a `TokenVerifier`."""

from typing import Any

import httpx

from chassis.http_client import HttpClient, UpstreamFailed
from chassis.settings import TokenSettings


class IssuerKeys:
    """A part of the process; its `fetch` is what a `TokenVerifier` asks."""

    name = "issuer-keys"

    def __init__(self, settings: TokenSettings, transport: httpx.AsyncBaseTransport | None = None) -> None:
        url = httpx.URL(settings.jwks_url)
        self._path = url.raw_path.decode("ascii")
        base = str(url.copy_with(raw_path=b"/"))
        self._http = HttpClient("issuer", base, timeout=2.0, transport=transport)

    async def start(self) -> None:
        await self._http.start()

    async def stop(self) -> None:
        await self._http.stop()

    async def fetch(self) -> dict[str, Any]:
        """The JWKS document (RFC 7517). Raises `DependencyUnavailable`."""
        answer = await self._http.request("GET", self._path)
        if answer.status_code != 200:
            raise UpstreamFailed(f"the issuer answered {answer.status_code}")
        document: dict[str, Any] = answer.json()
        return document
