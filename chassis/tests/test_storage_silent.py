"""A database whose machine is lost says nothing at all: no error, no end of the connection."""

import asyncio
import time
from collections.abc import AsyncIterator

import pytest
import sqlalchemy as sa
from pydantic import SecretStr
from sample.line import Line, line
from sqlalchemy.engine import make_url

from chassis.settings import DatabaseSettings
from chassis.storage import CLOSE_SECONDS, Database, DatabaseUnavailable
from conftest import ServiceDatabase

ONE = sa.text("SELECT 1")


@pytest.fixture
async def wire(sample_database: ServiceDatabase) -> AsyncIterator[Line]:
    async with line(make_url(sample_database.url).port or 0) as to_server:
        yield to_server


@pytest.fixture
async def remote(sample_database: ServiceDatabase, wire: Line) -> AsyncIterator[Database]:
    """The database at the far end of the wire, with little patience."""
    url = make_url(sample_database.url).set(port=wire.port).render_as_string()
    settings = DatabaseSettings(database_url=url, database_password=SecretStr(sample_database.password))
    pool = Database(settings, time_limit=0.3)
    yield pool
    await pool.stop()


async def test_a_transaction_with_a_silent_server_ends_as_with_an_absent_one(remote: Database, wire: Line) -> None:
    async def work() -> None:
        async with remote.transaction() as connection:
            await connection.execute(ONE)
            wire.lose()
            await connection.execute(ONE)

    begun = time.monotonic()
    with pytest.raises(DatabaseUnavailable):
        await work()
    assert time.monotonic() - begun < 4
    async with remote.transaction() as connection:
        assert await connection.scalar(ONE) == 1, "the lost connection was not thrown away"


async def test_a_statement_to_a_silent_server_ends_as_with_an_absent_one(remote: Database, wire: Line) -> None:
    async def work() -> None:
        async with remote.autocommit() as connection:
            await connection.execute(ONE)

    await work()
    wire.lose()
    begun = time.monotonic()
    with pytest.raises(DatabaseUnavailable):
        await work()
    assert time.monotonic() - begun < 4


async def test_a_pool_is_closed_although_the_server_is_silent(remote: Database, wire: Line) -> None:
    async def one() -> None:
        async with remote.autocommit() as connection:
            await connection.execute(ONE)

    await asyncio.gather(*(one() for _ in range(3)))
    wire.lose()
    begun = time.monotonic()
    await asyncio.wait_for(remote.stop(), 20)
    assert time.monotonic() - begun < CLOSE_SECONDS + 2


async def test_work_at_a_silent_server_can_be_interrupted(remote: Database, wire: Line) -> None:
    begun = asyncio.Event()

    async def work() -> None:
        async with remote.session() as connection:
            await connection.execute(ONE)
            wire.lose()
            begun.set()
            await connection.execute(ONE)

    task = asyncio.create_task(work())
    await begun.wait()
    task.cancel()
    cancelled = time.monotonic()
    await asyncio.wait([task], timeout=20)
    assert task.cancelled()
    assert time.monotonic() - cancelled < CLOSE_SECONDS + 2


async def test_the_server_gives_up_a_client_whose_machine_was_lost_within_half_a_minute(database: Database) -> None:
    async with database.autocommit() as connection:
        shown = [await connection.scalar(sa.text(f"SHOW tcp_keepalives_{of}")) for of in ("idle", "interval", "count")]
    idle, interval, count = map(int, shown)
    assert 0 < idle + interval * count <= 30, "a lost relay's lock, and every row lock, is held for so long"


async def test_a_server_that_dies_while_it_greets_is_an_absent_one() -> None:
    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(8)  # may it be encrypted?
        writer.write(b"N")
        await reader.read(1)  # who asks
        writer.transport.abort()

    async with await asyncio.start_server(greet, "127.0.0.1", 0) as server:
        url = f"postgresql://sample@127.0.0.1:{server.sockets[0].getsockname()[1]}/sample"
        database = Database(DatabaseSettings(database_url=url, database_password=SecretStr("not asked for")))
        with pytest.raises(DatabaseUnavailable):
            await database.ping()
        await database.stop()
