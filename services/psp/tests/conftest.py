"""A running psp: its own database, and a real server where an answer must get lost on a real socket."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator

import httpx
import pytest
import uvicorn
from fastapi import FastAPI

from conftest import MakeDatabase
from psp.main import create_app
from psp.settings import Settings

API_KEY = "a-key-for-the-tests"


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@pytest.fixture
async def app(make_database: MakeDatabase) -> FastAPI:
    """The application over a database of its own."""
    database = await make_database("psp")
    settings = Settings(
        port=0, psp_api_key=API_KEY, database_url=database.url, database_password=database.password, _env_file=None
    )
    return create_app(settings)[0]


@pytest.fixture
async def psp(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """A merchant's client of a real server on a free port."""
    server = _Server(uvicorn.Config(app, port=0, http="httptools", log_config=None))
    running = asyncio.create_task(server.serve())
    while not server.started and not running.done():
        await asyncio.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    headers = {"Authorization": f"Bearer {API_KEY}"}
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", headers=headers) as client:
        yield client
    server.should_exit = True
    await running
