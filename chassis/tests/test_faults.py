"""Faults exist only with a token, do what they say, and leave probes alone."""

import asyncio
import contextlib
import random
import time
from collections.abc import AsyncIterator, Mapping
from typing import Any

import httpx
import pytest
import uvicorn
from fastapi import FastAPI
from pydantic import SecretStr
from sample.main import Settings, create_app
from sample.waiting import until

from chassis.faults import Fault, Faults
from chassis.settings import ServiceSettings

TOKEN = {"Authorization": "Bearer chaos"}


@contextlib.asynccontextmanager
async def serving(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """Over a real socket: a dropped answer cannot be seen without one."""
    server = uvicorn.Server(uvicorn.Config(app, port=0, lifespan="off", log_config=None, http="httptools"))
    task = asyncio.create_task(server.serve())
    await until(lambda: server.started)
    port = server.servers[0].sockets[0].getsockname()[1]
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=5) as client:
        yield client
    server.should_exit = True
    await task


@pytest.fixture
async def client(alone: Settings) -> AsyncIterator[httpx.AsyncClient]:
    app, *_ = create_app(alone.model_copy(update={"faults_token": SecretStr("chaos")}))
    async with serving(app) as http:
        yield http


async def switch_on(client: httpx.AsyncClient, **fault: Any) -> None:
    answer = await client.put("/faults", json=[fault], headers=TOKEN)
    assert answer.status_code == 200, answer.text


async def test_without_a_token_in_the_settings_there_are_no_faults(alone: Settings) -> None:
    app, *_ = create_app(alone)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as http:
        assert (await http.put("/faults", json=[], headers=TOKEN)).status_code == 404


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer wrong"}])
async def test_only_holders_of_the_token_may_switch(client: httpx.AsyncClient, headers: Mapping[str, str]) -> None:
    for answer in (
        await client.get("/faults", headers=headers),
        await client.put("/faults", json=[{"error": 500}], headers=headers),
        await client.delete("/faults", headers=headers),
    ):
        assert (answer.status_code, answer.headers["content-type"]) == (401, "application/problem+json")
    assert (await client.get("/notes/1")).status_code == 404


async def test_a_delay(client: httpx.AsyncClient) -> None:
    await switch_on(client, delay_ms=300)
    begun = time.monotonic()
    assert (await client.get("/notes/1")).status_code == 404
    assert time.monotonic() - begun >= 0.3


async def test_a_delay_does_not_outlast_the_callers_deadline(client: httpx.AsyncClient) -> None:
    await switch_on(client, delay_ms=5000)
    answer = await client.get("/notes/1", headers={"X-Request-Deadline": "100"})
    assert answer.status_code == 504


async def test_an_error_is_a_problem(client: httpx.AsyncClient) -> None:
    await switch_on(client, error=502)
    answer = await client.get("/notes/1")
    assert (answer.status_code, answer.json()["type"]) == (502, "urn:banyan:problem:fault-injected")


async def test_a_dropped_answer_is_a_broken_connection_after_the_work(alone: Settings) -> None:
    app, _, notes = create_app(alone.model_copy(update={"faults_token": SecretStr("chaos")}))
    async with serving(app) as client:
        await switch_on(client, drop=True)
        with pytest.raises(httpx.TransportError):
            await client.get("/slow?seconds=0")
    assert notes.begun == 1


async def test_probes_are_exempt_and_so_is_the_switch(client: httpx.AsyncClient) -> None:
    await switch_on(client, error=599)
    assert (await client.get("/healthz")).status_code == 200
    assert (await client.get("/metrics")).status_code == 200
    assert (await client.delete("/faults", headers=TOKEN)).status_code == 204
    assert (await client.get("/notes/1")).status_code == 404


async def test_a_fault_may_be_for_some_paths_only(client: httpx.AsyncClient) -> None:
    await switch_on(client, prefix="/slow", error=500)
    assert (await client.get("/notes/1")).status_code == 404
    assert (await client.get("/slow?seconds=0")).status_code == 500


def test_a_fault_hits_its_share_of_the_requests() -> None:
    faults = Faults(random.Random(1))
    faults.active = [Fault(probability=0.3, error=500)]
    assert 250 < sum(faults.draw("/") is not None for _ in range(1000)) < 350


async def test_nonsense_is_refused(client: httpx.AsyncClient) -> None:
    for fault in ({"error": 200}, {"probability": 2}, {"delay_ms": -1}, {"unknown": 1}):
        assert (await client.put("/faults", json=[fault], headers=TOKEN)).status_code == 422


def test_faults_are_off_by_default() -> None:
    assert ServiceSettings.model_fields["faults_token"].default is None
