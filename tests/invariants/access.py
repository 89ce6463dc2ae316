"""Where the databases and the stream are, and the read-only passwords for them."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import nats
from nats.aio.client import Client

# Not identity's: hashes and keys, and no invariant is about them.
DATABASES = ("catalog", "inventory", "orders", "payments", "psp")
OLD_SHOP = "legacy"
CONNECT_SECONDS = 5.0


class Unreachable(Exception):
    """A server does not answer, or does not let us in."""


class Absent(Unreachable):
    """There is no such database, or no server of that name."""


@dataclass(frozen=True)
class Access:
    """`postgres` is a URL without a password in which `{database}` stands for a service's name."""

    postgres: str
    postgres_password: str
    nats: str
    nats_user: str
    nats_password: str
    namespace: str = "shop"

    @property
    def stream(self) -> str:
        return self.namespace.upper()

    @property
    def dead_stream(self) -> str:
        return f"{self.stream}_DEAD"

    async def database(self, name: str) -> "asyncpg.Connection[asyncpg.Record]":
        """A connection that can only read; raises `Unreachable`, `Absent`."""
        url = self.postgres.format(database=name)
        settings = {"default_transaction_read_only": "on", "application_name": "banyan-invariants"}
        try:
            return await asyncpg.connect(
                url, password=self.postgres_password, timeout=CONNECT_SECONDS, server_settings=settings
            )
        except (asyncpg.InvalidCatalogNameError, socket.gaierror) as error:
            raise Absent(f"there is no {url}: {error}") from error
        except (OSError, TimeoutError, asyncpg.PostgresError) as error:
            raise Unreachable(f"no access to {url}: {error or type(error).__name__}") from error

    @asynccontextmanager
    async def old_shop(self) -> "AsyncIterator[asyncpg.Connection[asyncpg.Record] | None]":
        """A connection to the database of the old shop, or None where no shop was replaced; raises `Unreachable`."""
        try:
            connection = await self.database(OLD_SHOP)
        except Absent:
            yield None
            return
        try:
            yield connection
        finally:
            await connection.close()

    async def bus(self) -> Client:
        """A connection to NATS; raises `Unreachable`."""
        seen: list[Exception] = []

        async def remember(error: Exception) -> None:
            seen.append(error)

        try:
            # nats-py tries again for ever, whatever it was told about reconnecting: the limit is ours.
            async with asyncio.timeout(CONNECT_SECONDS):
                return await nats.connect(
                    self.nats,
                    user=self.nats_user,
                    password=self.nats_password,
                    name="invariants",
                    allow_reconnect=False,
                    error_cb=remember,
                )
        except (OSError, TimeoutError, nats.errors.Error) as error:
            why = seen[0] if seen else error
            raise Unreachable(f"no access to {self.nats}: {why or type(why).__name__}") from error


def read_secret(folder: Path, name: str) -> str:
    """A password from the auditor's folder; raises `Unreachable`."""
    try:
        return (folder / name).read_text().strip()
    except OSError as error:
        raise Unreachable(f"no password in {folder / name}; is the shop running? See `make status`") from error
