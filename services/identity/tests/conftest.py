"""Fixtures: identity as it runs, on a database of its own and a clock that the tests move."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from chassis.auth import Caller, TokenVerifier
from chassis.settings import IssuerSettings
from identity.domain import LoginLimits
from identity.main import create_app
from identity.settings import Settings

OPERATOR = {"email": "operator@banyan.example", "password": "a long operator password"}
CUSTOMER = {"email": "ada@example.org", "name": "Ada Lovelace", "password": "correct horse battery"}
ADDRESS_LIMIT = 20  # of the default's 100, each of which is a real hash
KEY = "QkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkI="
HASH_KEY = "YmJiYmJiYmJiYmJiYmJiYmJiYmJiYmJiYmJiYmJiYmI"


@dataclass
class Clock:
    """Stands still until it is told otherwise."""

    now: datetime = field(default_factory=lambda: datetime.now(UTC))

    def __call__(self) -> datetime:
        return self.now

    def advance(self, **span: float) -> None:
        self.now += timedelta(**span)


@dataclass
class Site:
    """The running application and an HTTP client to it."""

    client: httpx.AsyncClient
    clock: Clock
    address_limit: int = ADDRESS_LIMIT

    async def register(self, key: str | None = None, **changes: Any) -> httpx.Response:
        headers = {} if key is None else {"Idempotency-Key": key}
        return await self.client.post("/api/identity/customers", json={**CUSTOMER, **changes}, headers=headers)

    async def log_in(self, email: str, password: str, address: str = "203.0.113.7") -> httpx.Response:
        headers = {"X-Forwarded-For": address}
        body = {"email": email, "password": password}
        return await self.client.post("/api/identity/tokens", json=body, headers=headers)

    async def token(self, email: str = CUSTOMER["email"], password: str = CUSTOMER["password"]) -> str:
        answer = await self.log_in(email, password)
        return str(answer.json()["access_token"])

    async def rotate(self) -> httpx.Response:
        headers = await self.as_operator()
        return await self.client.post("/api/identity/keys", headers=headers)

    async def as_operator(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {await self.token(**OPERATOR)}"}

    async def kids(self) -> list[str]:
        answer = await self.client.get("/api/identity/jwks.json")
        return [key["kid"] for key in answer.json()["keys"]]

    async def verify_elsewhere(self, token: str) -> Caller:
        """What another service, which has just fetched the keys, thinks of the token."""

        async def fetch() -> dict[str, Any]:
            return dict((await self.client.get("/api/identity/jwks.json")).json())

        return await TokenVerifier(fetch, IssuerSettings(), clock=lambda: self.clock().timestamp()).verify(token)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def make_settings() -> Callable[..., Settings]:
    def make(database: Any, **changes: Any) -> Settings:
        values = {
            "port": 0,
            "database_url": database.url,
            "database_password": database.password,
            "nats_url": "nats://127.0.0.1:1",
            "key_encryption_key": KEY,
            "hash_key": HASH_KEY,
            "operator_email": OPERATOR["email"],
            "operator_password": OPERATOR["password"],
        }
        return Settings(**{**values, **changes})

    return make


@pytest.fixture
async def settings(make_database: Any, make_settings: Callable[..., Settings]) -> Settings:
    return make_settings(await make_database("identity"))


@pytest.fixture
async def site(settings: Settings, clock: Clock) -> AsyncIterator[Site]:
    app, lifecycle = create_app(settings, clock=clock, limits=LoginLimits(address=ADDRESS_LIMIT))
    async with lifecycle.lifespan(app):
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://identity") as client:
            await until_ready(client)
            yield Site(client, clock)


async def until_ready(client: httpx.AsyncClient) -> None:
    """Probes until ready; each probe is a round trip to the database, so this polls without a pause."""
    for _ in range(2000):
        if (await client.get("/readyz")).status_code == 200:
            return
    raise AssertionError((await client.get("/readyz")).text)
