"""Every service as a process of its own, over real servers, without gateway or Supervisor: to be asked anything."""

import asyncio
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg
import httpx

from chassis.migrate import upgrade
from conftest import PostgresServer
from deploy.local import nats_config, secrets_store, servers
from deploy.local.place import OFFSETS, ROOT, Place, Ports
from deploy.local.programs import BY_NAME, DATABASES, GUESTS, OPERATOR_EMAIL

START_SECONDS = 60.0
STARTED = (*DATABASES, *GUESTS)


def with_openapi() -> list[str]:
    """Services that describe an interface of their own; the gateway's is merged from theirs, the old shop has none."""
    found = sorted(path.parents[2].name for path in ROOT.glob("services/*/src/*/api.py"))
    return [name for name in found if BY_NAME[name].chassis]


def _free_ports() -> dict[str, int]:
    return {name: servers.free_port() for name in ("gateway", *OFFSETS)}


@dataclass(frozen=True)
class OwnPorts(Ports):
    """Each chosen by the system: two test processes that look for a free block at the same time find the same one."""

    chosen: Mapping[str, int] = field(default_factory=_free_ports)

    def of(self, name: str) -> int:
        return self.chosen[name]


@dataclass(frozen=True)
class Running:
    """The services, and a token for each kind of caller."""

    place: Place
    tokens: Mapping[str, str]


@contextmanager
def running(folder: Path, postgres: PostgresServer) -> Iterator[Running]:
    """All services, migrated, started and ready, with one customer and one operator."""
    place = Place(folder, OwnPorts())
    place.logs.mkdir(parents=True)
    secrets_store.generate(place)
    databases = asyncio.run(_databases(postgres))
    with ExitStack() as stack:
        stack.enter_context(_bus(place))
        for name in STARTED:
            database = {"DATABASE_URL": databases[GUESTS.get(name, name)], "DATABASE_PASSWORD": postgres.password}
            environment = BY_NAME[name].environment(place) | database
            if not BY_NAME[name].chassis:
                _install(name, environment)
            stack.enter_context(_process(place, name, environment))
        for name in STARTED:
            _wait(place, name)
        yield Running(place, _open_accounts(place))
    # The databases go with the server, at the end of the session.


async def _databases(postgres: PostgresServer) -> dict[str, str]:
    prefix, urls = f"s{secrets.token_hex(4)}", dict[str, str]()
    server = await asyncpg.connect(postgres.url(), password=postgres.password)
    for name in DATABASES:
        urls[name] = postgres.url(f"{prefix}_{name}")
        await server.execute(f"CREATE DATABASE {prefix}_{name}")
        if BY_NAME[name].chassis:
            await upgrade(name, urls[name], postgres.password)
    await server.close()
    return urls


def _install(name: str, environment: Mapping[str, str]) -> None:
    """What brings its own installation does that by itself."""
    command = [sys.executable, "-P", "-m", f"{name}.install"]
    subprocess.run(command, env={"PATH": os.defpath, **environment}, capture_output=True, check=True)


@contextmanager
def _bus(place: Place) -> Iterator[None]:
    """A NATS of their own: on the session's other tests would meet their messages."""
    config = place.home / "nats.conf"
    users = [nats_config.service_user(n, place.secret(n, "nats_password")) for n in STARTED if BY_NAME[n].bus]
    config.write_text(nats_config.render(place.ports.of("nats"), place.home / "jetstream", users))
    server = servers.start_nats(config, place.ports.of("nats"))
    try:
        yield
    finally:
        servers.stop(server, signal.SIGKILL)


@contextmanager
def _process(place: Place, name: str, environment: Mapping[str, str]) -> Iterator[None]:
    command = [sys.executable, "-P", "-m", f"{name}.main"]
    with place.log(name).open("wb") as log:
        process = subprocess.Popen(
            command, env={"PATH": os.defpath, **environment}, stdout=log, stderr=log, cwd=place.home
        )
    try:
        yield
    finally:
        process.kill()  # what it holds is thrown away with its database; others test the drain
        process.wait()


def _wait(place: Place, name: str) -> None:
    limit = time.monotonic() + START_SECONDS
    while not _ready(place, name):
        if time.monotonic() > limit:
            raise AssertionError(f"{name} is not ready:\n{place.log(name).read_text()[-2000:]}")
        time.sleep(0.1)


def _ready(place: Place, name: str) -> bool:
    try:
        return httpx.get(f"{place.ports.url(name)}{BY_NAME[name].ready}", timeout=2, trust_env=False).status_code == 200
    except httpx.TransportError:
        return False


def _open_accounts(place: Place) -> dict[str, str]:
    identity = f"{place.ports.url('identity')}/api/identity"
    reader = {"email": "reader@example.com", "password": "correct horse battery"}
    _post(f"{identity}/customers", {**reader, "name": "A Reader"})
    operator = {"email": OPERATOR_EMAIL, "password": place.secret("identity", "operator_password")}
    return {
        "customer": _post(f"{identity}/tokens", reader)["access_token"],
        "operator": _post(f"{identity}/tokens", operator)["access_token"],
        "merchant": place.secret("psp", "psp_api_key"),
        "facade": place.secret("bridge", "bridge_key"),
    }


def _post(url: str, body: Mapping[str, str]) -> Any:
    return httpx.post(url, json=body, timeout=10, trust_env=False).raise_for_status().json()
