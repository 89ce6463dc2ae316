"""Fixtures: catalog as it runs, on real PostgreSQL, with tokens of a key that the tests hold."""

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import OKPKey

from catalog import messaging
from catalog.main import create_app
from catalog.settings import Settings
from catalog.storage import SqlStorage
from chassis.auth import ALGORITHM, TOKEN_TYPE, TokenVerifier
from chassis.messages import Message
from chassis.storage import Database


@dataclass
class FakeStream:
    """Takes the place of JetStream: remembers what was published."""

    published: list[Message] = field(default_factory=list)

    async def publish(self, subject: str, message_id: str, payload: bytes) -> None:
        self.published.append(Message.decode(payload))


@dataclass
class Shop:
    """The running application, an HTTP client to it, and the ways to change a book."""

    app: Any
    client: httpx.AsyncClient
    stream: FakeStream
    token: Callable[..., str]

    def headers(self, *roles: str, **sent: str) -> dict[str, str]:
        extra = {name.replace("_", "-"): value for name, value in sent.items()}
        return {"Authorization": f"Bearer {self.token(*(roles or ('operator',)))}", **extra}

    async def add(self, isbn: str, title: str = "Emma", author: str = "Jane Austen", amount: int = 1299) -> None:
        body = content(title, author, amount)
        sent = self.headers(if_none_match="*")
        answer = await self.client.put(f"/api/catalog/books/{isbn}", json=body, headers=sent)
        assert answer.status_code == 201, answer.text

    async def reprice(self, isbn: str, amount: int, **sent: str) -> httpx.Response:
        price = {"amount": amount, "currency": "EUR"}
        return await self.client.put(f"/api/catalog/books/{isbn}/price", json=price, headers=self.headers(**sent))

    async def read(self, isbn: str, **sent: str) -> httpx.Response:
        headers = {name.replace("_", "-"): value for name, value in sent.items()}
        return await self.client.get(f"/api/catalog/books/{isbn}", headers=headers)

    async def search(self, **params: str | int) -> Any:
        answer = await self.client.get("/api/catalog/books", params=params)
        assert answer.status_code == 200, answer.text
        return answer.json()


def content(title: str = "Emma", author: str = "Jane Austen", amount: int = 1299, **other: Any) -> dict[str, Any]:
    """The body of a PUT of a book."""
    return {"title": title, "author": author, "year": 1815, "price": {"amount": amount, "currency": "EUR"}, **other}


def isbn(number: int) -> str:
    """The ISBN-13 of the book with this number in a publisher's list."""
    twelve = f"979900{number:06d}"
    check = -sum(int(digit) * (3 if place % 2 else 1) for place, digit in enumerate(twelve)) % 10
    return f"{twelve}{check}"


@pytest.fixture(name="isbn")
def isbn_fixture() -> Callable[[int], str]:
    return isbn


@pytest.fixture(name="content")
def content_fixture() -> Callable[..., dict[str, Any]]:
    return content


@pytest.fixture
async def settings(make_database: Any) -> Settings:
    """A fresh database, and a bus that is not there."""
    database = await make_database("catalog")
    return Settings(
        port=0,
        database_url=database.url,
        database_password=database.password,
        nats_url="nats://127.0.0.1:1",
        jwks_url="http://127.0.0.1:1/unused",
    )


@pytest.fixture
async def database(settings: Settings) -> AsyncIterator[Database]:
    pool = Database(settings)
    yield pool
    await pool.stop()


@pytest.fixture
def storage(database: Database) -> SqlStorage:
    return SqlStorage(database, messaging.to_message)


@asynccontextmanager
async def running(settings: Settings, stream: FakeStream) -> AsyncIterator[Shop]:
    key = OKPKey.generate_key("Ed25519", {"kid": "test"})

    async def keys() -> dict[str, Any]:
        return {"keys": [key.as_dict(private=False)]}

    def token(*roles: str) -> str:
        claims = {
            "iss": settings.token_issuer,
            "aud": settings.token_audience,
            "sub": str(UUID(int=1)),
            "roles": roles,
            "exp": int(time.time()) + 60,
        }
        return jwt.encode({"alg": ALGORITHM, "kid": "test", "typ": TOKEN_TYPE}, claims, key, algorithms=[ALGORITHM])

    app, lifecycle = create_app(settings, publisher=stream, verifier=TokenVerifier(keys, settings))
    async with lifecycle.lifespan(app):
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://catalog") as client:
            yield Shop(app, client, stream, token)


@pytest.fixture
async def shop(settings: Settings) -> AsyncIterator[Shop]:
    async with running(settings, FakeStream()) as shop:
        yield shop
