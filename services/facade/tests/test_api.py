"""The operators' interface as it runs: real PostgreSQL, tokens of a key that the tests hold, a bridge that is told."""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import httpx
import orjson
import pytest
from joserfc import jwt
from joserfc.jwk import OKPKey

from chassis.auth import ALGORITHM, TOKEN_TYPE, TokenVerifier
from chassis.shared_key import SharedKey
from chassis.storage import Database
from facade import clients
from facade.domain import Capability
from facade.main import create_app
from facade.settings import Settings
from facade.storage import SqlCounts
from services.facade.tests.replicas import FakeWatch, mismatch, tally_of

OPERATOR = UUID(int=7)


@dataclass
class BridgeAtTransport:
    """Answers as bridge does; a `status` other than 200 is its answer to a drain."""

    status: int = 200
    lag: float = 0.2
    drains: list[Any] = field(default_factory=list)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        assert request.headers["Authorization"] == "Bearer " + "a" * 43
        if request.method == "GET":
            return httpx.Response(200, json={"lag_seconds": self.lag, "to_legacy": {"pending": 0, "lag_seconds": 0.1}})
        self.drains.append(orjson.loads(request.content))
        return httpx.Response(self.status, json={"drained": True, "seconds": 0.01})


@dataclass
class Facade:
    """The running application as an operator sees it."""

    client: httpx.AsyncClient
    bridge: BridgeAtTransport
    database: Database
    tokens: dict[str, str]

    async def ask(self, method: str, path: str, body: Any = None, role: str = "operator") -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.tokens[role]}"} if role else {}
        return await self.client.request(method, f"/api/migration{path}", json=body, headers=headers)

    async def move(self, capability: str, **wish: Any) -> httpx.Response:
        return await self.ask("PUT", f"/capabilities/{capability}/stage", wish)

    async def status(self, capability: str) -> Any:
        answer = await self.ask("GET", "/capabilities")
        assert answer.status_code == 200, answer.text
        return next(item for item in answer.json()["items"] if item["name"] == capability)

    async def compared(self, capability: str, equal: int, different: int = 0) -> None:
        """What a replica has found in the generation that counts now."""
        generation = (await self.status(capability))["generation"]
        tally = tally_of(FakeWatch(generation), SqlCounts(self.database))
        for _ in range(equal):
            tally.matched(Capability(capability))
        for number in range(different):
            tally.mismatched(Capability(capability), mismatch(number))
        await tally.flush()


@pytest.fixture
async def facade(settings: Settings, database: Database) -> AsyncIterator[Facade]:
    key = OKPKey.generate_key("Ed25519", {"kid": "test"})

    async def keys() -> dict[str, Any]:
        return {"keys": [key.as_dict(private=False)]}

    def token(*roles: str) -> str:
        claims = {
            "iss": settings.token_issuer,
            "aud": settings.token_audience,
            "sub": str(OPERATOR),
            "roles": roles,
            "exp": int(time.time()) + 60,
        }
        return jwt.encode({"alg": ALGORITHM, "kid": "test", "typ": TOKEN_TYPE}, claims, key, algorithms=[ALGORITHM])

    bridge = BridgeAtTransport()
    http = clients.bridge("http://bridge", SharedKey(lambda: "a" * 43), httpx.MockTransport(bridge))
    app, lifecycle = create_app(settings, bridge=http, verifier=TokenVerifier(keys, settings))
    async with lifecycle.lifespan(app):
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://facade") as client:
            yield Facade(client, bridge, database, {"operator": token("operator"), "customer": token("customer")})


async def in_shadow(facade: Facade, capability: str, equal: int = 200, different: int = 0) -> None:
    assert (await facade.move(capability, to="shadow")).status_code == 200
    await facade.compared(capability, equal, different)


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/capabilities"), ("GET", "/audit"), ("GET", "/mismatches?capability=catalog")],
)
async def test_only_operators_look(facade: Facade, method: str, path: str) -> None:
    assert (await facade.ask(method, path, role="")).status_code == 401
    assert (await facade.ask(method, path, role="customer")).status_code == 403
    assert (await facade.ask(method, path)).status_code == 200


async def test_only_operators_move(facade: Facade) -> None:
    path = "/capabilities/catalog/stage"
    assert (await facade.ask("PUT", path, {"to": "shadow"}, role="customer")).status_code == 403
    assert (await facade.ask("PUT", "/seeded-bug", {"bug": None}, role="")).status_code == 401
    assert (await facade.status("catalog"))["stage"] == "legacy"


async def test_a_promotion_without_evidence_is_refused_with_what_is_missing(facade: Facade) -> None:
    await in_shadow(facade, "catalog", equal=197, different=2)
    answer = await facade.move("catalog", to="canary", percent=10)
    assert answer.status_code == 409
    problem = answer.json()
    assert problem["type"] == "urn:banyan:problem:promotion-refused"
    assert problem["detail"] == "199 answers compared, 200 are needed; 98.99% of them equal, 99.5% are needed"
    assert problem["evidence"]["matched"] == 197


async def test_a_promotion_with_evidence_goes_on_and_is_recorded(facade: Facade) -> None:
    await in_shadow(facade, "catalog")
    answer = await facade.move("catalog", to="canary", percent=10, reason="looks good")
    assert answer.status_code == 200
    assert (answer.json()["stage"], answer.json()["percent"]) == ("canary", 10)
    newest = (await facade.ask("GET", "/audit")).json()["items"][0]
    assert newest["who"] == f"operator {OPERATOR}"
    assert (newest["from_stage"], newest["to_stage"], newest["percent"]) == ("shadow", "canary", 10)
    assert (newest["reason"], newest["forced"], newest["evidence"]["match_rate"]) == ("looks good", False, 1.0)


async def test_a_late_bridge_holds_a_promotion_up(facade: Facade) -> None:
    await in_shadow(facade, "catalog")
    facade.bridge.lag = 3.0
    assert "3.0 s behind" in (await facade.move("catalog", to="canary", percent=1)).json()["detail"]


async def test_force_goes_on_without_evidence_but_not_without_a_reason(facade: Facade) -> None:
    await in_shadow(facade, "catalog", equal=0)
    assert (await facade.move("catalog", to="canary", percent=5, force=True)).status_code == 422
    assert (await facade.move("catalog", to="canary", percent=5, force=True, reason="a drill")).status_code == 200
    assert (await facade.ask("GET", "/audit")).json()["items"][0]["forced"] is True


@pytest.mark.parametrize(
    "wish",
    [{"to": "canary"}, {"to": "shadow", "percent": 5}, {"to": "canary", "percent": 0}, {"to": "elsewhere"}, {}],
)
async def test_a_wish_that_makes_no_sense_is_refused(facade: Facade, wish: dict[str, Any]) -> None:
    assert (await facade.move("catalog", **wish)).status_code == 422


async def test_a_step_that_is_left_out_is_refused(facade: Facade) -> None:
    answer = await facade.move("orders", to="cutover", force=True, reason="hurry")
    assert (answer.status_code, answer.json()["type"]) == (409, "urn:banyan:problem:no-such-move")


async def test_orders_are_cut_over_and_taken_back(facade: Facade) -> None:
    await in_shadow(facade, "orders")
    answer = await facade.move("orders", to="cutover")
    assert (answer.status_code, answer.json()["stage"]) == (200, "modern"), answer.text
    assert facade.bridge.drains[-1]["direction"] == "to-shop"
    assert (await facade.move("orders", to="shadow")).json()["stage"] == "shadow"
    assert facade.bridge.drains[-1]["direction"] == "to-legacy"
    steps = [(each["from_stage"], each["to_stage"]) for each in (await facade.ask("GET", "/audit")).json()["items"]]
    assert steps[:4] == [("modern", "shadow"), ("modern", "modern"), ("cutover", "modern"), ("shadow", "cutover")]


async def test_a_cut_over_that_cannot_drain_is_answered_as_one_to_try_again(facade: Facade) -> None:
    await in_shadow(facade, "orders")
    facade.bridge.status = 504
    answer = await facade.move("orders", to="cutover")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
    assert answer.json()["type"] == "urn:banyan:problem:cutover-undone"
    assert (await facade.status("orders"))["stage"] == "shadow"


async def test_mismatches_are_shown_since_the_comparison_began(facade: Facade) -> None:
    await in_shadow(facade, "catalog", equal=1, different=3)
    found = (await facade.ask("GET", "/mismatches?capability=catalog&limit=2")).json()["items"]
    assert [each["path"] for each in found] == ["/legacy/api/products/2", "/legacy/api/products/1"]
    difference = {"path": "product.price", "class": "rounding", "legacy": "24.99", "modern": "25.00"}
    assert found[0]["differences"] == [difference]
    await facade.move("catalog", to="legacy")
    assert (await facade.ask("GET", "/mismatches?capability=catalog")).json()["items"] == []


async def test_the_seeded_mistake_is_switched_and_comparisons_before_it_count_no_more(facade: Facade) -> None:
    await in_shadow(facade, "catalog")
    assert (await facade.ask("PUT", "/seeded-bug", {"bug": "price-rounding"})).status_code == 200
    assert (await facade.ask("GET", "/capabilities")).json()["seeded_bug"] == "price-rounding"
    assert (await facade.status("catalog"))["compared"] == 0
    assert (await facade.ask("PUT", "/seeded-bug", {"bug": "another"})).status_code == 422
    assert (await facade.ask("PUT", "/seeded-bug", {"bug": None})).json() == {"bug": None}


async def test_the_status_tells_what_an_operator_decides_by(facade: Facade) -> None:
    await in_shadow(facade, "catalog", equal=3, different=1)
    status = await facade.status("catalog")
    assert (status["compared"], status["match_rate"], status["dropped"]) == (4, 0.75, 0)
    assert status["served"] == {"legacy": 0, "modern": 0}
    assert status["lag_seconds"] == {"to_shop": 0.2, "to_legacy": 0.1}
    assert status["latency_ms"]["legacy"] == {"p50": None, "p99": None}
    assert status["holds"] == {"count": 0, "p99_seconds": None, "longest_seconds": 0.0}


async def test_metrics_say_where_the_capabilities_stand(facade: Facade) -> None:
    await in_shadow(facade, "catalog")

    async def metrics() -> str:
        return (await facade.client.get("/metrics")).text

    limit = time.monotonic() + 5
    while 'facade_stage{capability="catalog",stage="shadow"} 1.0' not in await metrics():
        assert time.monotonic() < limit
        await asyncio.sleep(0.02)
    assert 'facade_requests_total{capability="orders",side="modern"}' in await metrics()


async def test_the_old_shops_addresses_are_answered_too(facade: Facade) -> None:
    """Nobody is there, which is said as the old shop's clients would hear it from a proxy."""
    assert (await facade.client.get("/readyz")).status_code in (200, 503)
    assert (await facade.client.get("/legacy/")).status_code == 503
