"""The start: in any order with the database, in any number of replicas, any number of times."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
import sqlalchemy as sa
from pydantic import SecretStr

from chassis.migrate import upgrade
from chassis.storage import Database
from identity.main import create_app
from identity.settings import Settings

EMAIL, PASSWORD = "operator@banyan.example", "a long operator password"
LIMIT = 20.0


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    """A replica, not waited for."""
    app, lifecycle = create_app(settings)
    async with lifecycle.lifespan(app):
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://identity") as client:
            yield client


async def until_ready(client: httpx.AsyncClient) -> None:
    async with asyncio.timeout(LIMIT):
        while (await client.get("/readyz")).status_code != 200:
            await asyncio.sleep(0.02)


async def log_in(client: httpx.AsyncClient, email: str = EMAIL, password: str = PASSWORD) -> int:
    return (await client.post("/api/identity/tokens", json={"email": email, "password": password})).status_code


async def accounts(settings: Settings) -> list[Any]:
    database = Database(settings)
    async with database.autocommit() as connection:
        rows = (await connection.execute(sa.text("SELECT *, xmin FROM account ORDER BY created_at"))).all()
    await database.stop()
    return list(rows)


async def test_it_waits_for_the_migration_alive_and_not_ready(make_database: Any, make_settings: Any) -> None:
    made = await make_database("identity", migrated=False)
    async with running(make_settings(made)) as client:
        assert (await client.get("/healthz")).status_code == 200
        assert (await client.get("/startupz")).status_code == 503
        assert (await client.get("/readyz")).status_code == 503
        await upgrade("identity", made.url, made.password)
        await until_ready(client)
        assert await log_in(client) == 200


async def test_without_a_database_it_answers_that_it_cannot(make_settings: Callable[..., Settings]) -> None:
    class Nowhere:
        url, password = "postgresql://identity@127.0.0.1:1/identity", "x"

    async with running(make_settings(Nowhere)) as client:
        assert (await client.get("/healthz")).status_code == 200
        assert (await client.get("/readyz")).status_code == 503
        assert await log_in(client) == 503
        assert (await client.get("/api/identity/jwks.json")).status_code == 503


async def test_a_second_start_changes_nothing(settings: Settings) -> None:
    async with running(settings) as client:
        await until_ready(client)
    before = await accounts(settings)
    async with running(settings) as client:
        await until_ready(client)
        assert await log_in(client) == 200
    assert await accounts(settings) == before


async def test_replicas_that_start_together_make_one_operator(settings: Settings) -> None:
    async with running(settings) as one, running(settings) as two:
        await asyncio.gather(until_ready(one), until_ready(two))
        assert [await log_in(one), await log_in(two)] == [200, 200]
    assert len(await accounts(settings)) == 1


async def test_a_changed_password_holds_from_the_next_start(settings: Settings) -> None:
    async with running(settings) as client:
        await until_ready(client)
    changed = settings.model_copy(update={"operator_password": SecretStr("a new operator password")})
    async with running(changed) as client:
        await until_ready(client)
        assert await log_in(client) == 401
        assert await log_in(client, password="a new operator password") == 200
    assert len(await accounts(settings)) == 1


async def test_who_registered_the_operators_address_first_gains_nothing(settings: Settings) -> None:
    elsewhere = settings.model_copy(update={"operator_email": "another@banyan.example"})
    async with running(elsewhere) as client:
        await until_ready(client)
        squatter = {"email": EMAIL, "name": "Squatter", "password": "the squatter's password"}
        await client.post("/api/identity/customers", json=squatter)
    async with running(settings) as client:
        await until_ready(client)
        assert await log_in(client, password="the squatter's password") == 401
        assert await log_in(client) == 200
