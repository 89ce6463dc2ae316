"""The servers under a real Supervisor: roles kept apart, the killed restarted, leftovers found."""

import asyncio
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import nats
import psutil
import pytest

from deploy.local import commands, databases, ports_check
from deploy.local.place import Place
from deploy.local.programs import DATABASES, GUESTS, SERVERS, database_url
from deploy.local.readiness import wait_ready
from deploy.local.screen import Screen, Step
from deploy.local.supervisor import Supervisor, end, leftovers, wait_until
from deploy.local.up import prepare

# One worker for all: each other one would start a whole run of its own, at the same time.
pytestmark = pytest.mark.xdist_group("supervised")


@pytest.fixture(scope="module")
def place(server_folder: Path) -> Iterator[Place]:
    place = Place(server_folder / "home", ports_check.free_ports())
    prepare(place, Screen())
    supervisor = Supervisor(place)
    supervisor.start()
    _start_servers(place)
    yield place
    commands.down(place, Screen())
    assert not leftovers(place)


def _start_servers(place: Place) -> None:
    supervisor = Supervisor(place)
    supervisor.start_group("servers")
    wait_ready(place, supervisor, SERVERS, Step("servers"), seconds=30)


async def test_no_role_can_connect_to_another_ones_database(place: Place) -> None:
    await databases.prepare(place)
    for role in DATABASES:
        password = place.secret(role, "database_password")
        await (await asyncpg.connect(database_url(place.ports, role), password=password)).close()
        own = database_url(place.ports, role).rsplit("/", 1)[0]
        for other in {*DATABASES, "postgres", "template1"} - {role}:
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await asyncpg.connect(f"{own}/{other}", password=password)


async def test_a_guest_works_in_the_database_of_its_host_and_in_no_other(place: Place) -> None:
    await databases.prepare(place)
    for role, host in GUESTS.items():
        password = place.secret(role, "database_password")
        connection = await asyncpg.connect(database_url(place.ports, role, host), password=password)
        assert await connection.fetchval("SELECT pg_has_role($1, 'usage')", host)
        await connection.execute("CREATE SCHEMA guest_was_here")
        await connection.execute("DROP SCHEMA guest_was_here")
        await connection.close()
        for other in {*DATABASES, "postgres", "template1"} - {host}:
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await asyncpg.connect(database_url(place.ports, role, other), password=password)


async def test_the_auditor_reads_every_database_and_writes_to_none(place: Place) -> None:
    await databases.prepare(place)
    assert await databases.prepare(place) == 0, "a second time there is nothing to make"
    password = place.secret("auditor", "database_password")
    for database in DATABASES:
        connection = await asyncpg.connect(place.auditor_url(database), password=password)
        assert await connection.fetchval("SELECT count(*) FROM pg_tables") > 0
        with pytest.raises((asyncpg.ReadOnlySQLTransactionError, asyncpg.InsufficientPrivilegeError)):
            await connection.execute("CREATE TABLE mine (id int)")
        await connection.close()


async def test_a_service_can_speak_on_the_bus_under_its_own_name_only(place: Place) -> None:
    refused: asyncio.Queue[Exception] = asyncio.Queue()
    password = place.secret("orders", "nats_password")
    url = place.ports.url("nats", "nats")
    bus = await nats.connect(url, user="orders", password=password, error_cb=refused.put)
    for subject in ("shop.orders.order-placed.v1", "shop.payments.card-charged.v1"):
        await bus.publish(subject, b"{}")
    first = await asyncio.wait_for(refused.get(), 5)
    await bus.close()
    assert "shop.payments.card-charged.v1" in str(first)


def test_a_killed_server_is_started_again(place: Place) -> None:
    supervisor = Supervisor(place)
    for name in SERVERS:
        killed = supervisor.process(name).pid
        os.kill(killed, signal.SIGKILL)
        wait_until(lambda name=name, killed=killed: supervisor.process(name).pid not in (0, killed), 30, name)  # type: ignore[misc]
    wait_ready(place, supervisor, SERVERS, Step("servers"), seconds=30)


def test_what_a_killed_supervisor_leaves_behind_is_found_and_ended(place: Place) -> None:
    before = {process.name: process.pid for process in Supervisor(place).processes() if process.pid}
    daemon = int((place.run / "supervisord.pid").read_text())
    os.kill(daemon, signal.SIGKILL)
    wait_until(lambda: not Supervisor(place).running(), 10, "the daemon lives on")
    left = leftovers(place)
    assert {process.pid for process in left} >= set(before.values())
    end(left)
    assert not any(psutil.pid_exists(pid) for pid in before.values())
    Supervisor(place).start()
    _start_servers(place)
