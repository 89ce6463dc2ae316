"""The fixtures' servers are the real ones, and keep databases and speakers apart."""

import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import asyncpg
import nats
import nats.errors
import psutil
import pytest

from conftest import MakeDatabase, NatsServer, PostgresServer
from deploy.local.place import ROOT
from deploy.local.supervisor import wait_until


async def test_two_databases_of_one_service_are_apart(make_database: MakeDatabase) -> None:
    first = await make_database("orders", migrated=False)
    second = await make_database("orders", migrated=False)
    own = await asyncpg.connect(first.url, password=first.password)
    await own.close()
    foreign = first.url.rsplit("/", 1)[0] + "/" + second.url.rsplit("/", 1)[1]
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await asyncpg.connect(foreign, password=first.password)


async def test_postgres_refuses_a_wrong_password(postgres_server: PostgresServer) -> None:
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(postgres_server.url(), password="wrong")


async def test_jetstream_stores_what_it_acknowledges(nats_server: NatsServer) -> None:
    bus = await nats.connect(nats_server.url, user=nats_server.user, password=nats_server.password)
    stream = bus.jetstream()
    await stream.add_stream(name="PROBE", subjects=["probe.>"])
    try:
        await stream.publish("probe.one", b"kept")
        assert (await stream.get_last_msg("PROBE", "probe.one")).data == b"kept"
    finally:
        await stream.delete_stream("PROBE")
        await bus.close()


async def test_nats_refuses_a_stranger(nats_server: NatsServer) -> None:
    with pytest.raises(nats.errors.Error, match="Authorization Violation"):
        await nats.connect(nats_server.url, allow_reconnect=False, connect_timeout=2)


def test_a_server_ends_with_the_process_that_started_it(tmp_path: Path) -> None:
    owner = f"""
import subprocess, sys
from pathlib import Path
from deploy.local.guard import guarded
server = subprocess.Popen(["sleep", "600"])
with guarded(server, Path({str(tmp_path)!r})):
    print(server.pid, flush=True)
    sys.stdin.read()
"""
    command = [sys.executable, "-c", owner]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        server = int(process.stdout.readline())
        process.kill()
    wait_until(lambda: not _lives(server) and not tmp_path.exists(), 10, "the server lives on")


def _lives(pid: int) -> bool:
    with suppress(psutil.NoSuchProcess):
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    return False
