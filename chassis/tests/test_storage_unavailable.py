"""A database that answers, but not with what was asked for, is as absent as one that does not answer."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import sqlalchemy as sa
from pydantic import SecretStr

from chassis.settings import DatabaseSettings
from chassis.storage import Database, DatabaseUnavailable

NO_ENCRYPTION = b"N"


@asynccontextmanager
async def _refusing(sqlstate: str) -> AsyncIterator[Database]:
    """A database behind a server that greets everybody with a fatal error, as PostgreSQL does while it starts."""
    fields = f"SFATAL\0C{sqlstate}\0Mnot now\0\0".encode()
    refusal = b"E" + (len(fields) + 4).to_bytes(4, "big") + fields

    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        length = int.from_bytes(await reader.readexactly(4), "big")
        await reader.readexactly(length - 4)
        if length == 8:  # the question whether to encrypt comes first
            writer.write(NO_ENCRYPTION)
            length = int.from_bytes(await reader.readexactly(4), "big")
            await reader.readexactly(length - 4)
        writer.write(refusal)
        writer.close()

    async with await asyncio.start_server(greet, "127.0.0.1", 0) as server:
        url = f"postgresql://sample@127.0.0.1:{server.sockets[0].getsockname()[1]}/sample"
        database = Database(DatabaseSettings(database_url=url, database_password=SecretStr("secret")))
        yield database
        await database.stop()


@pytest.mark.parametrize("sqlstate", ["57P03", "57P01", "53300"])
async def test_a_server_that_is_starting_stopping_or_full_is_unavailable(sqlstate: str) -> None:
    async with _refusing(sqlstate) as database:
        with pytest.raises(DatabaseUnavailable):
            await database.ping()
        with pytest.raises(DatabaseUnavailable):
            async with database.transaction() as connection:
                await connection.execute(sa.text("SELECT 1"))


async def test_a_server_that_refuses_for_another_reason_is_no_outage() -> None:
    async with _refusing("3D000") as database:
        with pytest.raises(sa.exc.DBAPIError):
            await database.ping()


@pytest.mark.parametrize(
    "statement",
    ["SELECT pg_sleep(2)", "SELECT 1 FROM not_migrated_yet"],
    ids=["a statement that takes too long", "a table that is not there yet"],
)
async def test_work_that_may_succeed_later_is_not_the_fault_of_whoever_asked(
    database: Database, statement: str
) -> None:
    async def work() -> None:
        async with database.transaction() as connection:
            await connection.execute(sa.text("SET LOCAL statement_timeout = 50"))
            await connection.execute(sa.text(statement))

    with pytest.raises(DatabaseUnavailable):
        await work()
