"""What the tests share: the old shop's way of writing, a bus that remembers, and bridge as it runs."""

import asyncio
import base64
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import asyncpg
import httpx

from bridge.main import create_app
from bridge.settings import Settings
from chassis.errors import DependencyUnavailable
from chassis.messages import Message

TABLES = Path(__file__).with_name("legacy.sql")
BRIDGE_KEY = "a-key-for-the-tests"
HASH_KEY = base64.urlsafe_b64encode(bytes(range(32))).decode().rstrip("=")
EMMA, WALDEN = "9781999900007", "9781999900014"
NOON = datetime(2026, 7, 1, 12)  # noqa: DTZ001 - as the old shop writes its times


async def until(condition: Callable[[], Awaitable[bool]], seconds: float = 20) -> None:
    """Poll until `condition` holds; fails when it does not within `seconds`."""
    limit = time.monotonic() + seconds
    while not await condition():
        assert time.monotonic() < limit, "it did not come about in time"
        await asyncio.sleep(0.02)


class OldShop:
    """Does what the old shop's code does, in its own transactions."""

    def __init__(self, pool: "asyncpg.Pool[Any]") -> None:
        self.pool = pool

    async def product(self, isbn: str = EMMA, price: str = "24.90", stock: int = 10) -> int:
        sql = (
            "INSERT INTO products (isbn, title, author, year, price, stock)"
            " VALUES ($1, 'Emma', 'Jane Austen', 1815, $2, $3) RETURNING id"
        )
        return int(await self.pool.fetchval(sql, isbn, Decimal(price), stock))

    async def customer(self, email: str = "ann@example.org") -> int:
        sql = "INSERT INTO customers (email, name, salt, password, created) VALUES ($1, 'Ann', $2, $3, $4) RETURNING id"
        return int(await self.pool.fetchval(sql, email, "saltsalt", "0" * 40, NOON))

    async def checkout(self, customer: int, items: dict[int, int], status: str = "P", created: datetime = NOON) -> int:
        async with self.pool.acquire() as connection, connection.transaction():
            sql = "INSERT INTO orders (customer_id, status, total, created) VALUES ($1, '?', 0, $2) RETURNING id"
            order = int(await connection.fetchval(sql, customer, created))
            for line, (product, quantity) in enumerate(items.items(), 1):
                taken = quantity if status == "P" else 0
                price = await connection.fetchval(
                    "UPDATE products SET stock = stock - $2 WHERE id = $1 RETURNING price", product, taken
                )
                item = (order, line, product, quantity, price)
                await connection.execute("INSERT INTO order_items VALUES ($1, $2, $3, $4, $5)", *item)
            await connection.execute(
                "UPDATE orders SET status = $2,"
                " total = (SELECT sum(qty * price) FROM order_items WHERE order_id = $1) WHERE id = $1",
                order,
                status,
            )
        return order

    async def execute(self, sql: str, *values: Any) -> None:
        await self.pool.execute(sql, *values)

    async def row(self, sql: str, *values: Any) -> tuple[Any, ...] | None:
        found = await self.pool.fetchrow(sql, *values)
        return None if found is None else tuple(found)

    async def value(self, sql: str, *values: Any) -> Any:
        return await self.pool.fetchval(sql, *values)


@dataclass
class FakeBus:
    """Takes the place of JetStream; `lose` loses the answer to the message of that number, counted from 1."""

    published: list[Message] = field(default_factory=list)
    lose: int = 0

    async def publish(self, subject: str, message_id: str, payload: bytes) -> None:
        message = Message.decode(payload)
        assert (message.type, str(message.id)) == (subject, message_id)
        self.published.append(message)
        if len(self.published) == self.lose:
            raise DependencyUnavailable("the answer was lost")

    def told(self, kind: str) -> list[Message]:
        return [message for message in self.published if message.type == f"shop.bridge.legacy-{kind}.v1"]


@asynccontextmanager
async def running(settings: Settings, **replaced: Any) -> AsyncIterator[httpx.AsyncClient]:
    """Bridge as it runs; yields a client of its HTTP interface that has the key."""
    async with AsyncExitStack() as stack:
        app, lifecycle = create_app(settings, **replaced)
        await stack.enter_async_context(lifecycle.lifespan(app))
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        headers = {"Authorization": f"Bearer {BRIDGE_KEY}"}
        yield await stack.enter_async_context(
            httpx.AsyncClient(transport=transport, base_url="http://bridge", headers=headers)
        )
