"""The bridge, as the facade sees it: how far behind it is, and waiting until it is not."""

import time
from collections.abc import Sequence
from typing import Any

import httpx
import structlog
from pydantic import BaseModel, ValidationError

from chassis.breaker import Breaker, BreakerOpen
from chassis.errors import DependencyUnavailable
from chassis.http_client import HttpClient
from chassis.shared_key import SharedKey
from facade.cutover import NotDrained
from facade.guard import Lag

log = structlog.get_logger(__name__)


class _ToLegacy(BaseModel):
    lag_seconds: float


class _Status(BaseModel):
    lag_seconds: float
    to_legacy: _ToLegacy


STATUS_SECONDS, DRAIN_SECONDS = 1.0, 2.5
AT_ONCE = 5000  # orders that the bridge takes in one call


class HttpBridge:
    """Two clients: a drain that fails says nothing about whether the bridge answers, and must not open that breaker."""

    def __init__(self, status: HttpClient, drains: HttpClient) -> None:
        self._status, self._drains = status, drains
        self.parts = [status, drains]

    async def lag(self) -> Lag | None:
        """Both ways, in seconds; None while the bridge does not say."""
        try:
            answer = await self._status.request("GET", "/api/bridge/status")
            if answer.status_code != 200:
                log.warning("bridge.refused", status=answer.status_code)
                return None
            status = _Status.model_validate_json(answer.content)
        except (DependencyUnavailable, BreakerOpen, ValidationError):
            return None
        return Lag(status.lag_seconds, status.to_legacy.lag_seconds)

    async def drain_to_shop(self, seconds: float) -> None:
        """Raises `NotDrained`."""
        await self._drain({"direction": "to-shop"}, seconds)

    async def drain_to_legacy(self, numbers: Sequence[int], seconds: float) -> None:
        """Raises `NotDrained`."""
        until = time.monotonic() + seconds
        for start in range(0, max(1, len(numbers)), AT_ONCE):
            part = list(numbers[start : start + AT_ONCE])
            await self._drain({"direction": "to-legacy", "orders": part}, until - time.monotonic())

    async def _drain(self, wish: dict[str, Any], seconds: float) -> None:
        body = wish | {"limit_ms": max(1, int(seconds * 1000))}
        try:
            answer = await self._drains.request("POST", "/api/bridge/drains", json=body)
        except (DependencyUnavailable, BreakerOpen) as error:
            raise NotDrained(f"the bridge is not drained: {error}") from error
        if answer.status_code != 200:
            raise NotDrained(f"the bridge answered {answer.status_code} to a drain")


def bridge(url: str, key: SharedKey, transport: httpx.AsyncBaseTransport | None = None) -> HttpBridge:
    """The bridge at an address; `transport` is a seam for tests."""

    def client(name: str, seconds: float) -> HttpClient:
        return HttpClient(name, url, timeout=seconds, breaker=Breaker(name), headers=key.headers, transport=transport)

    return HttpBridge(client("bridge", STATUS_SECONDS), client("bridge-drains", DRAIN_SECONDS))
