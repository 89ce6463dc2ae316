"""Roles and databases: one of each a service, closed to all but its guests, and a role that only reads."""

import asyncio
import time

import asyncpg

from deploy.local.place import Place
from deploy.local.programs import DATABASES, GUESTS
from deploy.local.screen import RunError
from deploy.local.servers import LOOPBACK, SUPERUSER

AUDITOR = "auditor"


async def prepare(place: Place) -> int:
    """Bring roles, passwords and databases to what they should be; returns how many databases are new."""
    connection = await _superuser(place)
    try:
        # PUBLIC may connect to any database by default, so each role could look into each database.
        for database in ("postgres", "template1"):
            await connection.execute(f"REVOKE CONNECT, TEMPORARY ON DATABASE {database} FROM PUBLIC")
        await _role(connection, AUDITOR, place.secret(AUDITOR, "database_password"))
        await connection.execute(f"GRANT pg_read_all_data TO {AUDITOR}")
        await connection.execute(f"ALTER ROLE {AUDITOR} SET default_transaction_read_only = on")
        new = sum([await _service(connection, place, name) for name in DATABASES])
        for guest, owner in GUESTS.items():
            await _guest(connection, place, guest, owner)
        return new
    finally:
        await connection.close()


async def _service(connection: "asyncpg.Connection[asyncpg.Record]", place: Place, name: str) -> bool:
    await _role(connection, name, place.secret(name, "database_password"))
    exists = await connection.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", name)
    if not exists:
        await connection.execute(f"CREATE DATABASE {name} OWNER {name}")
    await connection.execute(f"REVOKE CONNECT, TEMPORARY ON DATABASE {name} FROM PUBLIC")
    await connection.execute(f"GRANT CONNECT ON DATABASE {name} TO {name}, {AUDITOR}")
    return not exists


async def _guest(connection: "asyncpg.Connection[asyncpg.Record]", place: Place, name: str, owner: str) -> None:
    """A role that may work in another's database, beside its owner and on the owner's tables."""
    await _role(connection, name, place.secret(name, "database_password"))
    await connection.execute(f"GRANT {owner} TO {name}")
    await connection.execute(f"GRANT CONNECT ON DATABASE {owner} TO {name}")


async def _role(connection: "asyncpg.Connection[asyncpg.Record]", name: str, password: str) -> None:
    exists = await connection.fetchval("SELECT 1 FROM pg_roles WHERE rolname = $1", name)
    verb = "ALTER" if exists else "CREATE"
    # A utility statement takes no parameters; the password is one of our own, of URL-safe characters.
    await connection.execute(f"{verb} ROLE {name} LOGIN PASSWORD '{password}'")


async def _superuser(place: Place, seconds: float = 20) -> "asyncpg.Connection[asyncpg.Record]":
    limit = time.monotonic() + seconds
    while True:
        try:
            return await _connect(place)
        except (OSError, asyncpg.CannotConnectNowError):
            # It was killed a moment ago, and Supervisor is about to notice.
            if time.monotonic() > limit:
                raise
            await asyncio.sleep(0.1)


async def _connect(place: Place) -> "asyncpg.Connection[asyncpg.Record]":
    url = f"postgresql://{SUPERUSER}@{LOOPBACK}:{place.ports.of('postgres')}/postgres"
    try:
        return await asyncpg.connect(url, password=place.secret("postgres", "superuser_password"))
    except asyncpg.InvalidPasswordError as error:
        raise RunError(
            "the databases do not know the password in the secrets folder: one of them was replaced",
            "make clean deletes both; make up starts afresh",
        ) from error
