"""Three probes with three meanings, each within a second."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator

import httpx
import pytest
import sqlalchemy as sa
from fastapi import FastAPI
from pydantic import SecretStr
from sample.main import Settings, create_app
from sample.waiting import until

from chassis import health, service
from chassis.lifecycle import Lifecycle
from chassis.storage import Database
from conftest import MakeDatabase


@contextlib.asynccontextmanager
async def client_of(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        yield client


async def statuses(app: FastAPI) -> tuple[int, int, int]:
    async with client_of(app) as client:
        alive, started, ready = [(await client.get(path)).status_code for path in ("/healthz", "/startupz", "/readyz")]
    return alive, started, ready


async def test_all_well(settings: Settings) -> None:
    app, *_ = create_app(settings)
    assert await statuses(app) == (200, 200, 200)


async def test_whether_it_is_alive_and_what_it_runs_are_one_answer(alone: Settings) -> None:
    app, *_ = create_app(alone.model_copy(update={"version": "1.2.3", "commit": "0123456789ab"}))
    async with client_of(app) as client:
        answer = (await client.get("/healthz")).json()
    origin = {"service": "sample", "version": "1.2.3", "commit": "0123456789ab"}
    assert answer == {"status": "ok", "problems": [], **origin}


async def test_without_its_database_a_service_is_alive_and_not_ready(alone: Settings) -> None:
    app, *_ = create_app(alone)
    alive, _, ready = await statuses(app)
    assert (alive, ready) == (200, 503)


async def test_without_nats_a_service_is_ready(settings: Settings) -> None:
    app, *_ = create_app(settings.model_copy(update={"nats_url": "nats://127.0.0.1:1"}))
    assert await statuses(app) == (200, 200, 200)


async def test_before_its_migrations_a_service_has_not_started(settings: Settings, make_database: MakeDatabase) -> None:
    empty = await make_database("sample", migrated=False)
    to_empty = {"database_url": empty.url, "database_password": SecretStr(empty.password)}
    app, *_ = create_app(settings.model_copy(update=to_empty))
    assert await statuses(app) == (200, 503, 200)


@pytest.mark.parametrize(("revision", "expected"), [("0001", 503), ("0002", 200), ("9999", 200)])
async def test_a_service_has_started_on_its_own_schema_and_on_a_newer_one(
    settings: Settings, database: Database, revision: str, expected: int
) -> None:
    async with database.transaction() as connection:
        await connection.execute(sa.text("UPDATE alembic_version SET version_num = :to"), {"to": revision})
    app, *_ = create_app(settings)
    assert await statuses(app) == (200, expected, 200)


async def test_a_service_without_migrations_says_itself_when_it_has_started(settings: Settings) -> None:
    problems = ["not yet"]

    async def begun() -> str | None:
        return problems[0] if problems else None

    database, lifecycle = Database(settings), Lifecycle([])
    app = service.create_app(settings, lifecycle, database, [], {}, started=[begun])
    assert await statuses(app) == (200, 503, 200)
    problems.clear()
    assert await statuses(app) == (200, 200, 200)
    await database.stop()


async def test_a_draining_service_is_alive_and_not_ready(settings: Settings) -> None:
    app, lifecycle, _ = create_app(settings)
    lifecycle.draining = True
    assert await statuses(app) == (200, 200, 503)


class Ending:
    """A part whose task ends although nobody stopped it."""

    name = "ending"
    alive = True

    async def start(self) -> None: ...
    async def stop(self) -> None: ...


async def test_a_part_that_ended_by_itself_makes_the_process_unhealthy() -> None:
    part = Ending()
    lifecycle = Lifecycle([part])
    await lifecycle.start()
    app = FastAPI()
    app.include_router(health.router(lifecycle, [], [], {}))
    assert await statuses(app) == (200, 200, 200)
    part.alive = False
    assert await statuses(app) == (503, 200, 200)


async def test_a_check_that_hangs_is_a_failure_within_about_a_second() -> None:
    async def hangs() -> str | None:
        await asyncio.Event().wait()
        return None

    app = FastAPI()
    app.include_router(health.router(Lifecycle([]), [], [hangs], {}))
    begun = time.monotonic()
    async with client_of(app) as client:
        answer = await client.get("/readyz")
    assert time.monotonic() - begun < 1.5
    assert (answer.status_code, answer.json()["problems"]) == (503, ["hangs: TimeoutError"])


async def test_a_database_that_accepts_and_is_silent_is_a_failure_within_about_a_second(alone: Settings) -> None:
    async def say_nothing(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(writer)

    connections: list[asyncio.StreamWriter] = []
    server = await asyncio.start_server(say_nothing, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    app, *_ = create_app(alone.model_copy(update={"database_url": f"postgresql://sample@127.0.0.1:{port}/sample"}))
    begun = time.monotonic()
    async with client_of(app) as client:
        answer = await client.get("/readyz")
    assert (answer.status_code, time.monotonic() - begun < 1.6) == (503, True)
    for connection in connections:
        connection.close()
    server.close()


async def test_a_service_becomes_ready_when_its_database_comes(
    settings: Settings, make_database: MakeDatabase, unused_tcp_port: int
) -> None:
    there = httpx.URL(settings.database_url)
    url = str(there.copy_with(port=unused_tcp_port))
    app, *_ = create_app(settings.model_copy(update={"database_url": url}))
    assert (await statuses(app))[2] == 503

    async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", there.port)
        await asyncio.gather(_copy(reader, far_writer), _copy(far_reader, writer))

    async with await asyncio.start_server(forward, "127.0.0.1", unused_tcp_port):

        async def ready() -> bool:
            return await statuses(app) == (200, 200, 200)

        await until(ready, seconds=5)


async def _copy(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while chunk := await source.read(65536):
            sink.write(chunk)
            await sink.drain()
    sink.close()


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics"])
async def test_probes_are_not_part_of_the_public_contract(alone: Settings, path: str) -> None:
    app, *_ = create_app(alone)
    assert path not in app.openapi()["paths"]


async def test_metrics_are_prometheus_text(alone: Settings) -> None:
    app, *_ = create_app(alone)
    async with client_of(app) as client:
        await client.get("/notes/1")
        answer = await client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    labels = 'http_request_method="GET",http_response_status_code="404",http_route="/notes/{number}"'
    assert f"http_server_request_duration_seconds_count{{{labels}}}" in answer.text
