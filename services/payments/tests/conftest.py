"""Fixtures: payments over a real database, and the card processor as a process that can be killed and asked."""

import asyncio
import os
import re
import sys
import time
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import asyncpg
import httpx
import pytest

from chassis.storage import Database
from deploy.local import servers
from payments.settings import Settings

API_KEY = "a-key-for-the-tests"
MakeDatabase = Callable[[str], Awaitable[Any]]


async def until(condition: Callable[[], Awaitable[bool]], seconds: float = 20) -> None:
    """Poll until `condition` holds; fails when it does not within `seconds`."""
    limit = time.monotonic() + seconds
    while not await condition():
        assert time.monotonic() < limit, "it did not come about in time"
        await asyncio.sleep(0.02)


class Psp:
    """The real card processor, to be started, killed and asked for its ledger."""

    def __init__(self, database: Any) -> None:
        self._database = database
        self._port = servers.free_port()
        self._process: Process | None = None
        self.url = f"http://127.0.0.1:{self._port}"

    async def start(self) -> None:
        environment = {
            "PATH": os.environ["PATH"],
            "PORT": str(self._port),
            "PSP_API_KEY": API_KEY,
            "DATABASE_URL": self._database.url,
            "DATABASE_PASSWORD": self._database.password,
            "DRAIN_SECONDS": "0",
        }
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "psp.main", env=environment, stdout=asyncio.subprocess.DEVNULL
        )
        async with httpx.AsyncClient(base_url=self.url) as client:

            async def ready() -> bool:
                try:
                    return (await client.get("/readyz")).is_success
                except httpx.TransportError:
                    return False

            await until(ready)

    async def kill(self) -> None:
        assert self._process is not None
        if self._process.returncode is None:
            self._process.kill()
        await self._process.wait()

    async def charges(self) -> list[Any]:
        connection = await asyncpg.connect(self._database.url, password=self._database.password)
        try:
            return list(await connection.fetch("SELECT * FROM charge ORDER BY created_at"))
        finally:
            await connection.close()

    async def charge_requests(self) -> int:
        """How many times the running process was asked to charge."""
        async with httpx.AsyncClient(base_url=self.url) as client:
            text = (await client.get("/metrics")).text
        pattern = r'^http_server_request_duration_seconds_count\{.*method="POST".*route="/v1/charges".*\} (\S+)$'
        return int(sum(float(count) for count in re.findall(pattern, text, re.MULTILINE)))


@pytest.fixture
async def psp(make_database: MakeDatabase) -> AsyncIterator[Psp]:
    """A running card processor."""
    psp = Psp(await make_database("psp"))
    await psp.start()
    yield psp
    await psp.kill()


@pytest.fixture
async def settings(make_database: MakeDatabase) -> Settings:
    """A fresh database; neither a bus nor a card processor: nobody listens on port 1."""
    database = await make_database("payments")
    return Settings(
        port=0,
        database_url=database.url,
        database_password=database.password,
        nats_url="nats://127.0.0.1:1",
        jwks_url="http://127.0.0.1:1/keys",
        psp_url="http://127.0.0.1:1",
        psp_api_key=API_KEY,
    )


@pytest.fixture
async def database(settings: Settings) -> AsyncIterator[Database]:
    database = Database(settings)
    yield database
    await database.stop()
