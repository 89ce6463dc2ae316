"""`make up`: from nothing, or from whatever there is, to a shop that has confirmed an order."""

import asyncio
import dataclasses
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from chassis import migrate
from deploy.local import databases, nats_config, ports_check, secrets_store, servers, supervisor_config
from deploy.local.place import ROOT, Place, Ports
from deploy.local.programs import BY_NAME, DATABASES, OPERATOR_EMAIL, SERVERS, Service, database_url
from deploy.local.readiness import wait_ready
from deploy.local.screen import RunError, Screen
from deploy.local.seed import read_books, seed
from deploy.local.shop import Shop
from deploy.local.supervisor import Supervisor, end, leftovers
from deploy.local.walk import walk


def up(place: Place, ports: Ports, screen: Screen, *, faults: bool = False) -> None:
    """Start what does not run, bring databases and shelves up to date, and let a customer buy."""
    begun = time.monotonic()
    supervisor = Supervisor(place)
    if supervisor.running():
        _refuse_changes(place, ports, faults)
        screen.say("Banyan is already running: what is missing is started, then a customer walks through it.")
    else:
        place = dataclasses.replace(place, ports=ports)
        supervisor = Supervisor(place)
        _clear(place, screen)
        with _compiling(screen):
            prepare(place, screen)
        secrets_store.switch_faults(place, faults)
        supervisor.start()
    _start(place, supervisor, screen)
    asyncio.run(_fill_and_walk(place, screen, begun))
    _write_operator_file(place)


def _refuse_changes(place: Place, ports: Ports, faults: bool) -> None:
    if faults and not secrets_store.faults_are_on(place):
        raise RunError("Banyan is already running, without fault injection", "make down first, then make up FAULTS=on")
    if ports != place.ports:
        raise RunError(
            f"Banyan is already running, with PORT={place.ports.gateway} BASE_PORT={place.ports.base}",
            "make down first, then make up with the new ports",
        )


def _clear(place: Place, screen: Screen) -> None:
    """End what an earlier run left behind, then see whether the ports are free."""
    ports_check.refuse_impossible(place.ports)
    if left := leftovers(place):
        with screen.step("clear leftovers") as step:
            end(left)
            step.detail = f"{len(left)} processes of an earlier run"
    ports_check.require_free(place.ports)


@contextmanager
def _compiling(screen: Screen) -> Iterator[None]:
    """Meanwhile import every service once, or all of them would compile the same libraries at their first start."""
    modules = ", ".join(f"{name}.main" for name in BY_NAME)
    command = [sys.executable, "-P", "-c", f"import {modules}"]
    # Its result does not matter: what cannot be imported says so in the log of its own process.
    environment = {"PATH": os.defpath}
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        yield
        with screen.step("code") as step:
            process.wait()
            step.detail = "compiled"


def prepare(place: Place, screen: Screen) -> None:
    """Folders, secrets, the cluster and the configuration."""
    if secrets_store.missing_for_old_data(place):
        raise RunError(
            f"{place.data} holds databases, but the secrets that open them are gone",
            "make clean, then make up",
        )
    for folder in (place.home, place.run, place.logs, place.data):
        folder.mkdir(parents=True, exist_ok=True)
    with screen.step("secrets") as step:
        step.detail = f"{secrets_store.generate(place)} new, in {place.secrets}"
    with screen.step("PostgreSQL's folder") as step:
        _remove_stale_pid_file(place)
        closed = [path for path in servers.closed_folders(place.data / "postgres") if ROOT not in (path, *path.parents)]
        new = servers.prepare_postgres(place.data / "postgres", place.secret("postgres", "superuser_password"))
        opened = f"; its account may now pass through {', '.join(map(str, closed))}" if closed else ""
        step.detail = ("made" if new else "kept") + opened
    _configure_nats(place)
    place.remember()


def _remove_stale_pid_file(place: Place) -> None:
    # After a crash of the machine its number may belong to anything, and PostgreSQL would refuse to start. No
    # postgres runs in this folder: `_clear` has seen to it.
    (place.data / "postgres" / "postmaster.pid").unlink(missing_ok=True)


def _configure_nats(place: Place) -> None:
    path = place.run / "nats.conf"
    path.touch(mode=0o600)
    ports = place.ports
    path.write_text(
        nats_config.render(
            ports.of("nats"), place.data / "jetstream", nats_config.users(place), ports.of("nats monitor")
        )
    )


def _start(place: Place, supervisor: Supervisor, screen: Screen) -> None:
    with screen.step("PostgreSQL and NATS") as step:
        supervisor.start_group("servers")
        wait_ready(place, supervisor, SERVERS, step)
        step.detail = f"ready on {place.ports.of('postgres')} and {place.ports.of('nats')}"
    with screen.step("databases") as step:
        new = asyncio.run(databases.prepare(place))
        step.detail = f"{len(DATABASES)}, each with a role of its own ({new} new)"
    with screen.step("migrations") as step:
        asyncio.run(_migrate(place))
        step.detail = "every database is at its newest revision"
    with screen.step("services") as step:
        for group in supervisor_config.GROUPS:
            supervisor.start_group(group)
        wait_ready(place, supervisor, tuple(BY_NAME), step)
        step.detail = f"{len(BY_NAME)} ready"


async def _migrate(place: Place) -> None:
    for service in map(BY_NAME.__getitem__, DATABASES):
        # One after the other: Alembic keeps the migration that is running in a variable of its module.
        if service.chassis:
            await _upgrade(place, service.name)
        else:
            await _install(place, service)


async def _upgrade(place: Place, name: str) -> None:
    try:
        await migrate.upgrade(name, database_url(place.ports, name), place.secret(name, "database_password"))
    except Exception as error:
        raise RunError(f"the migrations of {name} failed: {error}") from error


async def _install(place: Place, service: Service) -> None:
    """What brings its own installation does that by itself, in a process of its own."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", f"{service.name}.install"),
        env={"PATH": os.defpath, **service.environment(place)},
        cwd=place.run,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    if process.returncode != 0:
        raise RunError(f"the installation of {service.name} failed: {said.decode(errors='replace')}")


async def _fill_and_walk(place: Place, screen: Screen, begun: float) -> None:
    url = place.ports.url("gateway")
    async with Shop(url) as shop:
        with screen.step("books and stock") as step:
            await shop.login(OPERATOR_EMAIL, place.secret("identity", "operator_password"))
            books = read_books()
            new = await seed(shop, books, lambda done, total: step.note("through the public API", done, total))
            step.detail = f"{len(books)} titles ({new} new)"
    screen.say()
    screen.say("The first customer:")
    await walk(url, screen)
    screen.say()
    screen.say(f"An order was confirmed {time.monotonic() - begun:.0f} s after the start.", style="bold green")


def _write_operator_file(place: Place) -> None:
    place.operator_file.touch(mode=0o600)
    place.operator_file.write_text(
        f"email: {OPERATOR_EMAIL}\npassword: {place.secret('identity', 'operator_password')}\n"
    )


def say_addresses(place: Place, screen: Screen) -> None:
    """Where everything is, and what to do next."""
    url = place.ports.url("gateway")
    on = secrets_store.faults_are_on(place)
    faults = [f"  tokens for /faults  {place.secrets}/SERVICE/faults_token"] if on else []
    for line in (
        f"  the shop            {url}/api/catalog/books",
        f"  its API, to read    {url}/docs",
        f"  the old shop        {url}/legacy/",
        f"  NATS's own page     {place.ports.url('nats monitor')}",
        f"  operator's login    in {place.operator_file}",
        f"  logs                {place.logs}",
        *faults,
        "",
        "  make status         what runs, and is it ready",
        "  make traffic        many customers;  make verify  do the books balance",
        "  make strangle       replace the old shop under traffic, and tell the story",
        "  make down           stop;  make clean  stop and delete the data",
    ):
        screen.say(line)
