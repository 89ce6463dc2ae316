"""Capture: installs `capture.sql` in the old shop's database, as soon as there is one, once in each process.

No Alembic: the database is not bridge's own, and what it adds must appear without a step that the old shop's operators
would have to learn.
"""

import asyncio
import importlib.resources

import asyncpg
import sqlalchemy as sa
import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.errors import DependencyUnavailable
from chassis.storage import Database

log = structlog.get_logger(__name__)
TRY_AGAIN = 0.5
_LOCK = sa.select(sa.func.pg_advisory_xact_lock(7_263_003))


class NotYet(DependencyUnavailable):
    """The old shop has no tables yet, or somebody writes to them just now."""


class Capture:
    """A part of the process; `installed` says whether what it brings is there."""

    name = "capture"

    def __init__(self, database: Database) -> None:
        self._database = database
        self._task: asyncio.Task[None] | None = None
        self._installed = asyncio.Event()

    @property
    def alive(self) -> bool:
        """False when the task ended without its work done."""
        return self._task is None or not self._task.done() or self._installed.is_set()

    async def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="capture")

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def ready(self) -> None:
        """Returns once the tables and triggers are there."""
        await self._installed.wait()

    async def installed(self) -> str | None:
        """A check for `/startupz`."""
        return None if self._installed.is_set() else "the old shop's tables have no triggers yet"

    async def _run(self) -> None:
        while not self._installed.is_set():
            try:
                async with self._database.transaction() as connection:
                    await install(connection)
                self._installed.set()
                log.info("capture.installed")
            except (
                DependencyUnavailable
            ) as error:  # no server, not the old shop's tables yet, or somebody writes to them
                log.warning("capture.waiting", reason=str(error))
                await asyncio.sleep(TRY_AGAIN)


async def install(connection: AsyncConnection) -> None:
    """Run the script within the open transaction; of several replicas one at a time."""
    await connection.execute(_LOCK)
    raw = await connection.get_raw_connection()
    if raw.driver_connection is None:
        raise DependencyUnavailable("the connection was lost")
    script = importlib.resources.files("bridge").joinpath("capture.sql").read_text(encoding="utf-8")
    try:
        await raw.driver_connection.execute(script)  # several statements, which the prepared ones of SQLAlchemy are not
    except asyncpg.PostgresError as error:
        raise NotYet(str(error)) from error
