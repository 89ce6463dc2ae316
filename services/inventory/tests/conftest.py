"""Fixtures: inventory over a real database, its application as it runs, and tokens of a key that the tests hold."""

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import orjson
import pytest
import sqlalchemy as sa
from joserfc import jwt
from joserfc.jwk import OKPKey

from chassis.auth import ALGORITHM, TOKEN_TYPE, TokenVerifier
from chassis.idempotency import IdempotencyKeys
from chassis.storage import Database
from inventory.application import Inventory
from inventory.domain import Stock
from inventory.main import create_app
from inventory.messaging import to_message
from inventory.settings import Settings
from inventory.storage import SqlStorage, idempotency_key

NOON = datetime(2025, 3, 1, 12, tzinfo=UTC)
RESERVATION_TIME = timedelta(minutes=15)


class Clock:
    """A clock that moves when a test says so."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        return self.now


@dataclass(frozen=True)
class Warehouse:
    """The use cases over a real database, with a clock in the test's hand; asks what a reader of the tables sees."""

    inventory: Inventory
    storage: SqlStorage
    database: Database
    clock: Clock

    async def receive(self, isbn: str, quantity: int) -> None:
        async with self.storage.begin() as unit:
            await unit.receive(isbn, quantity)

    async def reserve(self, order: UUID, lines: dict[str, int], message: UUID | None = None) -> None:
        await self.inventory.reserve_stock(order, lines, message or uuid4())

    async def commit(self, order: UUID, message: UUID | None = None) -> None:
        await self.inventory.commit_stock(order, message or uuid4())

    async def release(self, order: UUID, message: UUID | None = None) -> None:
        await self.inventory.release_stock(order, message or uuid4())

    async def stock(self, isbn: str) -> Stock:
        return await self.inventory.read_stock(isbn)

    async def answers(self, order: UUID | None = None) -> list[tuple[str, dict[str, Any]]]:
        """The outbox's messages, oldest first: the name's third word and the data without the order's id."""
        rows = await self.query("SELECT payload FROM outbox ORDER BY id")
        events = [orjson.loads(row.payload) for row in rows]
        return [
            (event["type"].split(".")[2], {k: v for k, v in event["data"].items() if k != "order_id"})
            for event in events
            if order is None or event["subject"] == str(order)
        ]

    async def query(self, statement: str) -> list[Any]:
        async with self.database.autocommit() as connection:
            return list((await connection.execute(sa.text(statement))).all())

    async def violations(self) -> list[Any]:
        """Books whose stock is not what the reservations say it must be."""
        return await self.query(
            """
            WITH taken AS (
                SELECT l.isbn,
                       coalesce(sum(quantity) FILTER (WHERE state = 'held'), 0) AS held,
                       coalesce(sum(quantity) FILTER (WHERE state = 'committed'), 0) AS committed
                FROM reservation_line l JOIN reservation USING (order_id) GROUP BY l.isbn
            )
            SELECT isbn FROM stock LEFT JOIN taken USING (isbn)
            WHERE on_hand <> received - coalesce(committed, 0) + oversold OR reserved <> coalesce(held, 0)
               OR on_hand < 0 OR reserved < 0 OR reserved > on_hand
            """
        )


@dataclass(frozen=True)
class Service:
    """The running application and an HTTP client to it."""

    client: httpx.AsyncClient
    app: Any
    token: Callable[..., str]

    def operator(self, key: str | None = None, operator: UUID | None = None) -> dict[str, str]:
        headers = {"Authorization": f"Bearer {self.token('operator', subject=operator)}"}
        return headers | ({} if key is None else {"Idempotency-Key": key})

    async def receive(self, isbn: str, quantity: Any, headers: dict[str, str]) -> httpx.Response:
        return await self.client.post(
            f"/api/inventory/stock/{isbn}/receipts", json={"quantity": quantity}, headers=headers
        )


@pytest.fixture
async def settings(make_database: Callable[[str], Awaitable[Any]]) -> Settings:
    """A fresh database, and no bus: nobody listens on port 1."""
    database = await make_database("inventory")
    return Settings(
        port=0,
        database_url=database.url,
        database_password=database.password,
        nats_url="nats://127.0.0.1:1",
        jwks_url="http://127.0.0.1:1/keys",
        reservation_seconds=int(RESERVATION_TIME.total_seconds()),
        sweep_seconds=0.1,
    )


@pytest.fixture
async def database(settings: Settings) -> AsyncIterator[Database]:
    database = Database(settings)
    yield database
    await database.stop()


@pytest.fixture
def warehouse(database: Database) -> Warehouse:
    clock = Clock()
    storage = SqlStorage(database, IdempotencyKeys(database, idempotency_key), to_message)
    return Warehouse(Inventory(storage, RESERVATION_TIME, clock), storage, database, clock)


@pytest.fixture
async def service(settings: Settings) -> AsyncIterator[Service]:
    key = OKPKey.generate_key("Ed25519", {"kid": "test"})

    async def keys() -> dict[str, Any]:
        return {"keys": [key.as_dict(private=False)]}

    def token(*roles: str, subject: UUID | None = None) -> str:
        claims = {
            "iss": settings.token_issuer,
            "aud": settings.token_audience,
            "sub": str(subject or uuid4()),
            "roles": ["customer", *roles],
            "exp": int(time.time()) + 60,
        }
        return jwt.encode({"alg": ALGORITHM, "kid": "test", "typ": TOKEN_TYPE}, claims, key, algorithms=[ALGORITHM])

    app, lifecycle = create_app(settings, verifier=TokenVerifier(keys, settings))
    async with lifecycle.lifespan(app):
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://inventory") as client:
            yield Service(client, app, token)
