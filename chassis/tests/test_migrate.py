"""Migrations: runs queue up, wait for their server, and bring the database to the code's revision, never back."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import pytest
from pydantic import SecretStr
from sqlalchemy.engine import URL, make_url

from chassis import migrate
from chassis.settings import DatabaseSettings
from chassis.storage import Database
from conftest import MakeDatabase, ServiceDatabase

APPS = Path(__file__).parent / "apps"
SSL_REQUEST = (80877103).to_bytes(4, "big")  # of PostgreSQL's protocol


async def revision(of: ServiceDatabase) -> str | None:
    database = Database(DatabaseSettings(database_url=of.url, database_password=SecretStr(of.password)))
    try:
        return await database.revision()
    finally:
        await database.stop()


async def test_an_empty_database_has_no_revision_and_a_migrated_one_the_codes(make_database: MakeDatabase) -> None:
    empty = await make_database("sample", migrated=False)
    assert await revision(empty) is None
    await migrate.upgrade("sample", empty.url, empty.password)
    assert await revision(empty) == migrate.head("sample")


def test_a_service_without_migrations_is_an_error() -> None:
    with pytest.raises(Exception, match="chassis"):
        migrate.head("chassis")


async def moved(database: ServiceDatabase, to: str) -> None:
    """What the migration of a later release leaves behind."""
    connection = await asyncpg.connect(database.url, password=database.password)
    await connection.execute("UPDATE alembic_version SET version_num = $1", to)
    await connection.close()


async def test_on_a_newer_schema_old_code_migrates_nothing_and_says_so(sample_database: ServiceDatabase) -> None:
    await moved(sample_database, "9999")
    code, output = await run(sample_database.url, sample_database.password)
    assert code == 0, output
    assert output.splitlines() == [
        "sample stands at revision 9999, which is newer than this code's 0002: nothing was changed"
    ]
    assert await revision(sample_database) == "9999"


async def run(url: str, password: str) -> tuple[int | None, str]:
    environment = {"PATH": os.defpath, "PYTHONPATH": str(APPS), "DATABASE_URL": url, "DATABASE_PASSWORD": password}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "chassis.migrate", "sample"),
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await asyncio.wait_for(process.communicate(), 30)
    return process.returncode, output.decode()


async def test_the_command_migrates(make_database: MakeDatabase) -> None:
    empty = await make_database("sample", migrated=False)
    code, output = await run(empty.url, empty.password)
    assert (code, output.splitlines()[-1]) == (0, "sample stands at revision 0002")


@asynccontextmanager
async def starting(url: URL, refusals: int) -> AsyncIterator[URL]:
    """A server before the one at `url` that says, so many times, that it is still starting up."""
    left = refusals

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal left
        asked = await reader.read(4096)
        if asked[4:8] == SSL_REQUEST:
            writer.write(b"N")
            asked = await reader.read(4096)
        if left > 0:
            left -= 1
            fields = b"SFATAL\0C57P03\0Mthe database system is starting up\0\0"
            writer.write(b"E" + (len(fields) + 4).to_bytes(4, "big") + fields)
            writer.close()
            return
        there, back = await asyncio.open_connection(url.host, url.port)
        back.write(asked)
        await asyncio.gather(_copy(reader, back), _copy(there, writer))

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield url.set(host="127.0.0.1", port=server.sockets[0].getsockname()[1])
    assert left == 0


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while received := await reader.read(65536):
        writer.write(received)
    writer.close()


async def test_the_command_waits_for_a_server_that_is_starting_up(make_database: MakeDatabase) -> None:
    empty = await make_database("sample", migrated=False)
    async with starting(make_url(empty.url), refusals=2) as url:
        code, output = await run(url.render_as_string(hide_password=False), empty.password)
    assert code == 0, output


async def test_replicas_that_migrate_at_once_do_it_once(make_database: MakeDatabase) -> None:
    empty = await make_database("sample", migrated=False)
    outcomes = await asyncio.gather(*(run(empty.url, empty.password) for _ in range(3)))
    assert [code for code, _ in outcomes] == [0, 0, 0], outcomes


async def test_the_command_refuses_a_wrong_password_without_repeating_it(make_database: MakeDatabase) -> None:
    empty = await make_database("sample", migrated=False)
    code, output = await run(empty.url, "opensesame")
    assert code == 1
    assert "opensesame" not in output
