"""The tiny shop as a fixture. Its databases are made once a module and filled anew for each test: to migrate five of
them takes seconds."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Iterator

import pytest

from conftest import NatsServer, PostgresServer
from deploy.local.servers import LOOPBACK, SUPERUSER
from tests.invariants.access import Access
from tests.invariants.tiny_shop import TinyShop, drop_databases, make_databases, new_namespace


@pytest.fixture(scope="module")
def databases(postgres_server: PostgresServer) -> Iterator[str]:
    """URL of the databases of one module, with `{database}` for a service's name."""
    url = f"postgresql://{SUPERUSER}@{LOOPBACK}:{postgres_server.port}"
    prefix = f"t{secrets.token_hex(4)}_"
    asyncio.run(make_databases(url, postgres_server.password, prefix))
    yield f"{url}/{prefix}{{database}}"
    asyncio.run(drop_databases(url, postgres_server.password, prefix))


@pytest.fixture
async def shop(databases: str, postgres_server: PostgresServer, nats_server: NatsServer) -> AsyncIterator[TinyShop]:
    """A shop whose books balance."""
    access = Access(
        databases, postgres_server.password, nats_server.url, nats_server.user, nats_server.password, new_namespace()
    )
    shop = await TinyShop.open(access)
    yield shop
    await shop.close()
