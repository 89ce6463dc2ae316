"""Migrations: `python -m chassis.migrate SERVICE …` brings each service's own database to its newest revision.

With one service the settings come from the environment, as the service's own do; a run waits for a server that is not
there yet, and two runs at once queue up behind an advisory lock. A database that newer code has migrated is left as it
is: old and new code live together (docs/decisions/0012), and who is rolled back must be able to start.
"""

import argparse
import asyncio
import sys
import time
from typing import Any

import asyncpg
import sqlalchemy as sa
from alembic import command, context
from alembic.config import Config
from alembic.script import ScriptDirectory
from pydantic import Field
from sqlalchemy.engine import URL
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from chassis.settings import DatabaseSettings, ServiceSettings, load
from chassis.storage import database_url

_LOCK = 7_263_001
_NEWER = "newer"


def _config(service: str) -> Config:
    config = Config()
    config.set_main_option("script_location", f"{service}:migrations")
    config.set_main_option("path_separator", "os")
    return config


def head(service: str) -> str:
    """The newest revision that the installed code of `service` brings."""
    revision = ScriptDirectory.from_config(_config(service)).get_current_head()
    if revision is None:
        raise LookupError(f"{service} has no migrations")
    return revision


def older(service: str) -> frozenset[str]:
    """The revisions that the installed code of `service` knows, its newest excepted."""
    known = ScriptDirectory.from_config(_config(service)).walk_revisions()
    return frozenset(each.revision for each in known) - {head(service)}


async def upgrade(service: str, url: str, password: str) -> str:
    """Run the migrations of `service` that its database still lacks; returns the revision that it stands at then.

    A revision that this code does not know is newer code's, and stays.
    """
    config = _config(service)
    config.attributes["url"] = database_url(url, password)
    await asyncio.to_thread(command.upgrade, config, "head")
    newer: str | None = config.attributes.get(_NEWER)
    return newer or head(service)


def run(metadata: sa.MetaData) -> None:
    """The body of a service's `migrations/env.py`."""
    asyncio.run(_run(context.config.attributes["url"], metadata))


async def _run(url: URL, metadata: sa.MetaData) -> None:
    engine = create_async_engine(url, poolclass=NullPool)
    async with engine.begin() as connection:
        await connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))
        await connection.run_sync(_run_in, metadata)
    await engine.dispose()


def _run_in(connection: Any, metadata: sa.MetaData) -> None:
    context.configure(connection=connection, target_metadata=metadata)
    found, known = context.get_context().get_current_revision(), context.script.walk_revisions()
    if found is not None and found not in {each.revision for each in known}:
        context.config.attributes[_NEWER] = found
        return
    with context.begin_transaction():
        context.run_migrations()


def _not_there_yet(error: BaseException) -> bool:
    """Nobody listens, or somebody who is still starting; SQLAlchemy wraps what the server says twice."""
    if isinstance(error, sa.exc.DBAPIError):
        return isinstance(getattr(error.orig, "__cause__", None), asyncpg.CannotConnectNowError)
    return isinstance(error, OSError)


class Settings(ServiceSettings, DatabaseSettings):
    """A service's settings, as far as migrating needs them."""

    service_name: str = "migrate"
    port: int = Field(default=0)


def main() -> None:
    """Entry point of the command; exit code 1 when the server does not answer within a minute."""
    parser = argparse.ArgumentParser(prog="python -m chassis.migrate", description=__doc__)
    parser.add_argument("service", help="whose migrations to run")
    service = parser.parse_args().service
    settings = load(Settings)
    deadline = time.monotonic() + 60
    while True:
        try:
            found = asyncio.run(upgrade(service, settings.database_url, settings.database_password.get_secret_value()))
            break
        except (OSError, sa.exc.DBAPIError) as error:
            if not _not_there_yet(error):
                raise
        if time.monotonic() > deadline:
            sys.stderr.write(f"migrate {service}: no database at {settings.database_url}\n")
            raise SystemExit(1)
        time.sleep(0.5)
    newer = "" if found == head(service) else f", which is newer than this code's {head(service)}: nothing was changed"
    sys.stdout.write(f"{service} stands at revision {found}{newer}\n")


if __name__ == "__main__":
    main()
