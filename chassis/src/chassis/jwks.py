"""Where the keys to verify tokens with come from: the issuer's JWKS document (RFC 7517), by HTTP.

Apart from `auth`, for whoever has the keys at home, or a client of its own, needs none of this.
"""

import asyncio
from typing import Any

import httpx

from chassis.auth import FetchKeys


def keys_from(url: str) -> FetchKeys:
    """Fetches the issuer's keys from `url`; a fetch may take three seconds."""

    async def fetch() -> dict[str, Any]:
        async with httpx.AsyncClient(timeout=3, trust_env=False) as client, asyncio.timeout(3):
            answer = await client.get(url)
            answer.raise_for_status()
            return dict(answer.json())

    return fetch
