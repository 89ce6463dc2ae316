"""Embedded servers and containers differ in how they run, in nothing that a test could come to depend on."""

import asyncpg
import pytest

from conftest import PostgresServer
from tests.servers.choice import CHOICE, Kind
from tests.servers.embedded import Embedded

QUERY = """
SELECT
    split_part(version(), '.', 1) AS version,
    current_setting('data_directory') AS folder,
    (SELECT concat_ws(' ', datlocprovider, datlocale, datcollate, pg_encoding_to_char(encoding))
     FROM pg_database WHERE datname = 'template1') AS locale,
    ARRAY(SELECT name || '=' || setting FROM pg_settings WHERE source = 'command line' ORDER BY name) AS options
"""


async def test_postgres_is_of_the_kind_that_was_chosen(
    pytestconfig: pytest.Config, postgres_server: PostgresServer, servers: object
) -> None:
    embedded = pytestconfig.stash[CHOICE].kind is Kind.EMBEDDED
    folder = (await _look(postgres_server))["folder"]
    assert embedded == isinstance(servers, Embedded)
    assert folder.startswith("/var/lib/postgresql/") != embedded, folder


async def test_postgres_is_set_as_everywhere(postgres_server: PostgresServer) -> None:
    seen = await _look(postgres_server)
    assert seen["version"] == "PostgreSQL 18"
    assert seen["locale"] == "b C.UTF-8 C UTF8"
    wanted = {"fsync=off", "synchronous_commit=off", "max_connections=200", "jit=off", "TimeZone=UTC"}
    assert wanted <= set(seen["options"])


async def _look(server: PostgresServer) -> asyncpg.Record:
    connection = await asyncpg.connect(server.url(), password=server.password)
    try:
        row = await connection.fetchrow(QUERY)
        assert row is not None
        return row
    finally:
        await connection.close()
