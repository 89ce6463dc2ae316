"""A proxy between two sides that a test decides, with everything that it tells others remembered."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx
from starlette.applications import Starlette
from starlette.middleware import Middleware

from chassis.middleware import BodyLimit
from facade.canary import Visitors
from facade.domain import Capability, Side, Stage, Standing
from facade.legacy_http import LegacyRequest, LegacyResponse
from facade.ports import CannotAnswer, Upstream
from facade.proxy import Mirror, Proxy, Sides
from facade.routing import Area
from services.facade.tests.answers import FakeSide, FakeStandings, FakeTally

CATALOG, ORDERS = Capability.CATALOG, Capability.ORDERS
OLD = LegacyResponse(200, (("Content-Type", "text/plain"),), b"old")
NEW = LegacyResponse(200, (("Content-Type", "text/plain"),), b"new")


def standing(capability: Capability, stage: Stage, percent: int = 0, generation: int = 1) -> Standing:
    return Standing(capability, stage, percent, False, generation, datetime.now(UTC))


class FakeParking:
    """Lets a write go where `side` says; `held` writes are turned away."""

    def __init__(self) -> None:
        self.side = Side.LEGACY
        self.held = False
        self.inside = 0

    @asynccontextmanager
    async def write(self, capability: Capability) -> AsyncIterator[Side]:
        if self.held:
            raise CannotAnswer("held for too long")
        self.inside += 1
        yield self.side
        self.inside -= 1


@dataclass
class Nobody:
    """A session in which nobody is logged in."""

    email: str | None = None


class FakeMirror:
    """Remembers what it was offered."""

    def __init__(self) -> None:
        self.offers: list[tuple[Capability, str, Side, bytes, bool]] = []
        self.customers = 0

    @contextmanager
    def customer(self) -> Iterator[None]:
        self.customers += 1
        try:
            yield
        finally:
            self.customers -= 1

    def offer(
        self,
        capability: Capability,
        request: LegacyRequest,
        side: Side,
        answer: LegacyResponse,
        *,
        write: bool = False,
    ) -> None:
        self.offers.append((capability, request.path, side, answer.body, write))


@dataclass
class FakeBudget:
    """Remembers whether each answer was an error."""

    records: list[bool] = field(default_factory=list)

    def record(self, standing: Standing, error: bool) -> None:
        self.records.append(error)


class Facade:
    """The proxy and its surroundings: both capabilities at `legacy`, unless a test moves them."""

    def __init__(
        self, legacy: Upstream | None = None, mirror: Mirror | None = None, canary_seconds: float = 2.0
    ) -> None:
        self.legacy = FakeSide(OLD)
        self.modern = FakeSide(NEW)
        self.standings = FakeStandings(standing(CATALOG, Stage.LEGACY), standing(ORDERS, Stage.LEGACY))
        self.parking = FakeParking()
        self.budget = FakeBudget()
        self.mirror = FakeMirror()
        self.tally = FakeTally()
        proxy = Proxy(
            Sides(legacy or self.legacy, dict.fromkeys(Area, self.modern)),
            self.standings,
            self.parking,
            Visitors(lambda _: Nobody(), lambda: "v" * 22),
            self.budget,
            mirror or self.mirror,
            self.tally,
            canary_seconds,
        )
        self.app = Starlette(routes=proxy.router().routes, middleware=[Middleware(BodyLimit, limit=64 * 1024)])
        transport = httpx.ASGITransport(self.app, client=("192.0.2.7", 4711))
        self._client = httpx.AsyncClient(transport=transport, base_url="http://shop.example")

    def at(self, stage: Stage, percent: int = 0, capability: Capability = CATALOG) -> "Facade":
        self.standings.set(standing(capability, stage, percent))
        return self

    async def ask(self, method: str, path: str, **sent: Any) -> httpx.Response:
        self._client.cookies.clear()
        return await self._client.request(method, path, **sent)

    async def get(self, path: str = "/legacy/", **sent: Any) -> httpx.Response:
        return await self.ask("GET", path, **sent)
