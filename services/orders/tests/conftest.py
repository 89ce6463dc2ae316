"""Fixtures: orders as it runs, with a fake catalog and tokens of a key that the tests hold."""

import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import OKPKey

from chassis.auth import ALGORITHM, TOKEN_TYPE, TokenVerifier
from orders.domain import CatalogUnavailable, Money, Price
from orders.main import create_app
from orders.settings import Settings

MIDDLEMARCH = Price("9781999900007", "Middlemarch", Money(1299, "EUR"), version=3)
WALDEN = Price("9781999900014", "Walden", Money(899, "EUR"), version=1)


@dataclass
class FakeCatalog:
    """Knows two books; `down` makes it fail like a catalog that cannot be reached."""

    down: bool = False
    asked: list[list[str]] = field(default_factory=list)

    async def prices(self, isbns: Sequence[str]) -> list[Price]:
        self.asked.append(list(isbns))
        if self.down:
            raise CatalogUnavailable("catalog is down")
        return [price for price in (MIDDLEMARCH, WALDEN) if price.isbn in isbns]


@dataclass
class Shop:
    """The running application, an HTTP client to it, and a way to speak as a customer."""

    client: httpx.AsyncClient
    catalog: FakeCatalog
    token: Callable[..., str]

    def headers(self, customer: UUID, key: str | None = None, *roles: str) -> dict[str, str]:
        sent = {"Authorization": f"Bearer {self.token(customer, *roles)}"}
        return sent if key is None else {**sent, "Idempotency-Key": key}

    async def place(self, customer: UUID, key: str = "", **body: Any) -> httpx.Response:
        order = {"lines": [{"isbn": MIDDLEMARCH.isbn, "quantity": 2}], "card_token": "tok_ok", **body}
        return await self.client.post("/api/orders", json=order, headers=self.headers(customer, key or str(uuid4())))


@pytest.fixture
def catalog() -> FakeCatalog:
    return FakeCatalog()


@pytest.fixture
async def settings(make_database: Any, nats_server: Any) -> Settings:
    """A fresh database, and a namespace of its own on the bus."""
    database = await make_database("orders")
    return Settings(
        port=0,
        database_url=database.url,
        database_password=database.password,
        nats_url=nats_server.url,
        nats_user=nats_server.user,
        nats_password=nats_server.password,
        jwks_url="http://127.0.0.1:1/unused",
        catalog_url="http://127.0.0.1:1",
        saga_poll_seconds=0.1,
    )


@pytest.fixture
async def shop(settings: Settings, catalog: FakeCatalog) -> AsyncIterator[Shop]:
    key = OKPKey.generate_key("Ed25519", {"kid": "test"})

    async def keys() -> dict[str, Any]:
        return {"keys": [key.as_dict(private=False)]}

    def token(customer: UUID, *roles: str) -> str:
        claims = {
            "iss": settings.token_issuer,
            "aud": settings.token_audience,
            "sub": str(customer),
            "roles": ["customer", *roles],
            "exp": int(time.time()) + 60,
        }
        return jwt.encode({"alg": ALGORITHM, "kid": "test", "typ": TOKEN_TYPE}, claims, key, algorithms=[ALGORITHM])

    app, lifecycle = create_app(settings, catalog=catalog, verifier=TokenVerifier(keys, settings))
    async with lifecycle.lifespan(app):
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://orders") as client:
            yield Shop(client, catalog, token)
