"""An image at work: it starts with nothing allowed, says that it is ready, and leaves without dropping a request."""

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from subprocess import PIPE, Popen
from typing import Any
from uuid import UUID

import pytest

from tests.compose.composition import seconds, services
from tests.images.building import Commit
from tests.images.docker import run
from tests.images.stage import HARDENED, PYTHON, Container, Stage

LOAD = (Path(__file__).parent / "load.py").read_text()
DELAY_MS = 200
NOTHING = UUID(int=0)
TOKEN, PSP_KEY, BRIDGE_KEY = "token", "psp_api_key", "bridge_key"


@dataclass(frozen=True)
class Request:
    """Something that a service looks up in its database, or in that of another; `bearer` is what it asks to see."""

    path: str
    status: int = 200
    bearer: str | None = None


REQUESTS: Mapping[str, Request] = {
    "bridge": Request("/api/bridge/status", bearer=BRIDGE_KEY),
    "catalog": Request("/api/catalog/books"),
    "facade": Request("/api/migration/audit", bearer=TOKEN),
    "gateway": Request("/api/identity/jwks.json"),
    "identity": Request("/api/identity/jwks.json"),
    "inventory": Request("/api/inventory/stock/9780261103573", 404),
    "orders": Request("/api/orders", bearer=TOKEN),
    "payments": Request(f"/api/payments/{NOTHING}", 404, TOKEN),
    "psp": Request(f"/v1/charges/{NOTHING}", 404, PSP_KEY),
}


@dataclass
class Load:
    """What `load.py` saw."""

    good: list[float] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    closed: float = 0.0


@pytest.fixture
def container(ours: str, scene: Stage, identity: Container) -> Iterator[Container]:
    """A service that is ready; identity has one more, under a name of its own."""
    started = scene.service(ours, "--network-alias", f"{ours}-under-test")
    started.wait_until_ready()
    yield started
    started.remove()


def test_it_starts_with_a_read_only_root_and_without_capabilities(ours: str, container: Container) -> None:
    host = container.inspect()["HostConfig"]
    assert host["ReadonlyRootfs"] is True
    assert host["CapDrop"] == ["ALL"]
    assert "no-new-privileges" in host["SecurityOpt"]
    assert container.probe() is None
    assert json.loads(container.call("GET", "/healthz"))["status"] == "ok"


def test_it_tells_its_commit_when_it_is_asked_and_in_every_line(
    ours: str, container: Container, commit: Commit
) -> None:
    told = json.loads(container.call("GET", "/healthz"))
    assert (told["service"], told["commit"]) == (ours, commit.sha)
    lines = [json.loads(line) for line in container.log().splitlines()]
    assert {(line["service"], line["version"], line["commit"]) for line in lines} == {
        (ours, told["version"], commit.sha)
    }


def test_the_old_shop_starts_so_too_and_stops_when_it_is_told(scene: Stage) -> None:
    started = scene.service("legacy")
    started.wait_until_ready()
    assert json.loads(started.call("GET", "/legacy/api/products"))["ok"] == 1
    code = started.stop(30)
    started.remove()
    assert code == 0


def test_its_probe_fails_when_nobody_listens(ours: str, commit: Commit) -> None:
    probe = ("--entrypoint", PYTHON, commit.tag(ours), "-m", "chassis.probe")
    done = run("run", "--rm", "--network", "none", *HARDENED, *probe)
    assert done.returncode == 1
    assert "does not answer" in done.stderr


def test_the_tools_have_no_probe_for_they_listen_nowhere(commit: Commit) -> None:
    done = run("run", "--rm", "--network", "none", *HARDENED, commit.tag("tools"), "chassis.probe")
    assert done.returncode == 1
    assert "No module named 'chassis'" in done.stderr


def test_wrong_settings_end_it_with_2_and_the_whole_list(ours: str, commit: Commit) -> None:
    fields = import_module(f"{ours}.settings").Settings.model_fields
    missing = {name.upper() for name, field in fields.items() if field.is_required()} - {"PORT"}
    done = run("run", "--rm", "--network", "none", *HARDENED, "--env", "TRACE_RATIO=7", commit.tag(ours))
    assert done.returncode == 2, done.stderr
    heard = {line.strip().partition(":")[0] for line in done.stderr.splitlines()[1:]}
    assert heard == missing | {"TRACE_RATIO"}


@pytest.mark.timeout(180)
def test_under_load_it_stops_within_its_grace_and_loses_no_request(
    ours: str, container: Container, scene: Stage, identity: Container
) -> None:
    """Requests take a while each, so that some are in flight whenever the process is told to stop."""
    grace = int(seconds(services()[ours]["stop_grace_period"]))
    slow = identity if ours == "gateway" else container
    with _slowed(slow, scene), _loading(ours, scene, identity) as load:
        assert load.stdout is not None
        assert load.stdout.readline() == "under way\n", load.stdout.read()
        told = time.time()
        code = container.stop(grace)
        took = time.time() - told
        seen = Load(**json.loads(load.stdout.read()))
    assert code == 0, "whoever is ready drains, and is not ended by what waits for signals before"
    assert took < grace
    assert seen.lost == []
    assert [moment for moment in seen.good if moment > told + DELAY_MS / 1000], "nothing was served while draining"


@contextmanager
def _slowed(container: Container, scene: Stage) -> Iterator[None]:
    """Requests to a service are answered a little later, for the time of the block."""
    token = {"Authorization": f"Bearer {scene.passwords['faults_token']}"}
    container.call("PUT", "/faults", token, [{"prefix": "/", "delay_ms": DELAY_MS}])
    try:
        yield
    finally:
        if container.pid:
            container.call("DELETE", "/faults", token)


def _loading(service: str, scene: Stage, identity: Container) -> "Popen[str]":
    request = REQUESTS[service]
    headers = {}
    if request.bearer:
        known = scene.operators_token(identity) if request.bearer == TOKEN else scene.passwords[request.bearer]
        headers["Authorization"] = f"Bearer {known}"
    wanted: dict[str, Any] = {
        "host": f"{service}-under-test",
        "path": request.path,
        "headers": headers,
        "status": request.status,
        "workers": 16,
    }
    program = ("--entrypoint", PYTHON, scene.commit.tag(service), "-c", LOAD, json.dumps(wanted))
    command = ["docker", "run", "--rm", "--network", scene.network, "--cpus", "0.5", *scene.labels, *program]
    return Popen(command, stdout=PIPE, text=True)
