"""The service's own database: SQLAlchemy Core over asyncpg. No ORM: a use case loads, decides and stores in sight."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import cast

import sqlalchemy as sa
from prometheus_client import Gauge
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import QueuePool

from chassis.errors import DependencyUnavailable
from chassis.settings import DatabaseSettings

_SESSION = {
    "application_name": "banyan",
    "statement_timeout": "5000",
    "lock_timeout": "3000",
    "idle_in_transaction_session_timeout": "10000",
    "jit": "off",
    # A client whose machine was lost is silent, not gone: its locks, the relay's too, would be held for two hours.
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
}
# Of a block: a silent server keeps none of its own limits above. Below a handler's, which would take the blame.
TIME_LIMIT = 10.0
# SQLAlchemy waits as long for the end of a connection that is given up, and a silent server lets it.
CLOSE_SECONDS = 2.0
OVERFLOW = 2  # the relay holds one for its lock, a probe must not wait behind requests
IN_USE = Gauge("database_pool_in_use", "Connections of the pool that are in use")
LIMIT = Gauge("database_pool_limit", "Connections that the pool gives out at most")


class DatabaseUnavailable(DependencyUnavailable):
    """The database does not answer, or no connection came free in time."""


def database_url(url: str, password: str | None = None) -> URL:
    """The URL for SQLAlchemy's asyncpg dialect."""
    return make_url(url).set(drivername="postgresql+asyncpg", password=password)


class Database:
    """A pool of connections. Starts without a server and finds it when it is there; `time_limit` in seconds."""

    name = "database"

    def __init__(self, settings: DatabaseSettings, time_limit: float = TIME_LIMIT) -> None:
        self.time_limit = time_limit
        self._on_commit: list[Callable[[], None]] = []
        self._engine: AsyncEngine = create_async_engine(
            database_url(settings.database_url),
            pool_size=settings.database_pool,
            max_overflow=OVERFLOW,
            pool_timeout=2,
            pool_recycle=1800,
            hide_parameters=True,  # an error's text goes to the log, and parameters are e-mail addresses and hashes
            connect_args={
                "timeout": 3,
                "server_settings": _SESSION,
                # Asked at each connection: it may have been rotated since the last one.
                "password": lambda: settings.now("database_password"),
            },
        )
        LIMIT.set(settings.database_pool + OVERFLOW)
        IN_USE.set_function(lambda: cast("QueuePool", self._engine.pool).checkedout())
        self._autocommit = self._engine.execution_options(isolation_level="AUTOCOMMIT")

    async def start(self) -> None:
        """Nothing to do: connections are made when they are needed."""

    async def stop(self) -> None:
        """Close what the pool holds: one after the other, and each would wait for ever for a silent server."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_SECONDS):
                await self._engine.dispose()

    def on_commit(self, callback: Callable[[], None]) -> None:
        """Call `callback` after each committed transaction (the relay listens, to publish without a poll's delay)."""
        self._on_commit.append(callback)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncConnection]:
        """BEGIN … COMMIT; rolled back on any exception and at the time limit.

        Raises `DatabaseUnavailable` without a server, or when it takes too long.
        """
        with _translated():
            async with asyncio.timeout(self.time_limit), self._engine.begin() as connection:
                yield connection
        for callback in self._on_commit:
            callback()

    @asynccontextmanager
    async def autocommit(self) -> AsyncIterator[AsyncConnection]:
        """A connection for single statements: two round trips fewer than a transaction. The time limit is the same."""
        with _translated():
            async with asyncio.timeout(self.time_limit), self._autocommit.connect() as connection:
                yield connection

    @asynccontextmanager
    async def session(self) -> AsyncIterator[AsyncConnection]:
        """As `autocommit`, to be kept: the time limit is for the caller to set, on each statement."""
        with _translated():
            async with self._autocommit.connect() as connection:
                yield connection

    async def ping(self) -> None:
        """Raises `DatabaseUnavailable` unless the server answers a query within a second."""
        try:
            async with asyncio.timeout(1), self.autocommit() as connection:
                await connection.execute(sa.text("SELECT 1"))
        except TimeoutError:
            raise DatabaseUnavailable("the database does not answer") from None

    async def revision(self) -> str | None:
        """The Alembic revision that the database stands at, or None before the first migration."""
        async with self.autocommit() as connection:
            known = await connection.scalar(sa.text("SELECT to_regclass('alembic_version') IS NOT NULL"))
            return await connection.scalar(sa.text("SELECT version_num FROM alembic_version")) if known else None


class _translated:  # noqa: N801 - reads as a statement where it is used
    """Turn "no server" in its many shapes into one error; leave constraint violations as they are."""

    def __enter__(self) -> None: ...

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        lost = isinstance(error, DBAPIError) and (error.connection_invalidated or _refused(error))
        absent = isinstance(error, (InterfaceError, OperationalError, PoolTimeoutError, ConnectionError, OSError))
        if lost or absent:
            refused = isinstance(error, DBAPIError) and _sqlstate(error) == _WRONG_PASSWORD
            why = "refuses the password" if refused else "does not answer"
            raise DatabaseUnavailable(f"the database {why}") from error


# SQLSTATEs after which the same work may succeed later, and for which SQLAlchemy has no class: the server was lost
# while a connection was being made; it is starting, stopping or full; a statement or a lock took too long; a deadlock;
# a table is missing, as before the first migration; the password was rotated and the new one is not mounted yet.
_WRONG_PASSWORD = "28P01"  # noqa: S105 - a code
_LATER = (_WRONG_PASSWORD, "08", "57P", "53", "57014", "55P03", "40P01", "40001", "42P01")


def _refused(error: DBAPIError) -> bool:
    return _sqlstate(error).startswith(_LATER)


def _sqlstate(error: DBAPIError) -> str:
    return str(getattr(error.orig, "sqlstate", ""))
