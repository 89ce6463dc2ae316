"""The upstreams out of the settings, and where the keys of tokens come from."""

import asyncio
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

import orjson

from chassis.auth import FetchKeys
from chassis.breaker import Breaker
from chassis.errors import DependencyUnavailable
from gateway.addresses import Lookup
from gateway.admission import Bulkhead
from gateway.exchange import Upstream
from gateway.pool import Pool
from gateway.settings import Settings
from gateway.upstream import UpstreamError

KEYS_SECONDS = 3.0


def create(settings: Settings, lookup: Lookup | None = None) -> dict[str, Upstream]:
    """Each upstream with a pool, a bulkhead and two breakers of its own."""
    limit = settings.max_in_flight_upstream
    return {name: _upstream(name, url, limit, lookup) for name, url in settings.upstreams().items()}


def _upstream(name: str, url: str, limit: int, lookup: Lookup | None) -> Upstream:
    bulkhead = Bulkhead(limit, "bulkhead", f"{name} has as many requests as it may have at once")
    return Upstream(name, pool(url, lookup), bulkhead, Breaker(f"{name}.read"), Breaker(f"{name}.write"))


def pool(url: str, lookup: Lookup | None = None) -> Pool:
    """The connections to `http://host:port`."""
    parts = urlsplit(url)
    return Pool(parts.hostname or "", parts.port or 80, lookup)


def fetch_keys(url: str) -> FetchKeys:
    """Fetches the JWKS document at `url`."""
    keys = pool(url)
    path = urlsplit(url).path

    async def fetch() -> dict[str, Any]:
        try:
            async with asyncio.timeout(KEYS_SECONDS):
                status, body = await keys.get(path)
        except (UpstreamError, TimeoutError) as error:
            raise DependencyUnavailable(f"no keys: {error!r}") from error
        if status != 200:
            raise DependencyUnavailable(f"no keys: status {status}")
        document: dict[str, Any] = orjson.loads(body)
        return document

    return fetch


class Connections:
    """The pools as a part of the lifecycle: closes what is idle, from time to time and at the end."""

    name = "upstreams"
    PERIOD = 1.0

    def __init__(self, pools: Sequence[Pool]) -> None:
        self._pools = pools
        self._timer: asyncio.TimerHandle | None = None

    async def start(self) -> None:
        self._sweep()

    async def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        for each in self._pools:
            each.close()

    def _sweep(self) -> None:
        for each in self._pools:
            each.sweep()
        self._timer = asyncio.get_running_loop().call_later(self.PERIOD, self._sweep)
