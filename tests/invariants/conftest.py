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
    yield from _databases(postgres_server, replacing=False)


@pytest.fixture(scope="module")
def replacing_databases(postgres_server: PostgresServer) -> Iterator[str]:
    """The same, with those of an old shop that is being replaced."""
    yield from _databases(postgres_server, replacing=True)


@pytest.fixture
async def shop(databases: str, postgres_server: PostgresServer, nats_server: NatsServer) -> AsyncIterator[TinyShop]:
    """A shop whose books balance."""
    shop = await TinyShop.open(_access(databases, postgres_server, nats_server))
    yield shop
    await shop.close()


@pytest.fixture
async def both(
    replacing_databases: str, postgres_server: PostgresServer, nats_server: NatsServer
) -> AsyncIterator[TinyShop]:
    """A shop whose books balance, and agree with those of the old shop that it replaces."""
    shop = await TinyShop.open(_access(replacing_databases, postgres_server, nats_server), replacing=True)
    yield shop
    await shop.close()


def _databases(server: PostgresServer, *, replacing: bool) -> Iterator[str]:
    url = f"postgresql://{SUPERUSER}@{LOOPBACK}:{server.port}"
    prefix = f"t{secrets.token_hex(4)}_"
    asyncio.run(make_databases(url, server.password, prefix, replacing=replacing))
    yield f"{url}/{prefix}{{database}}"
    asyncio.run(drop_databases(url, server.password, prefix))


def _access(databases: str, postgres: PostgresServer, nats: NatsServer) -> Access:
    return Access(databases, postgres.password, nats.url, nats.user, nats.password, new_namespace())
