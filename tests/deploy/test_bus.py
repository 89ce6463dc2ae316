"""The bus of a cluster keeps and refuses what the bus of the other two ways to run does, asked of real servers."""

import json
import re
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from deploy.kubernetes import generate
from deploy.local import nats_config
from deploy.local.place import ROOT, Ports
from deploy.local.servers import free_port, nats_command

CONFIG = ROOT / "deploy" / "platform" / "nats" / "nats.conf"
Ask = Callable[[Path, int], dict[str, Any]]


@pytest.fixture
def ask() -> Iterator[Ask]:
    """What a server with this configuration says of itself on its monitoring port."""
    started: list[subprocess.Popen[bytes]] = []

    def start(config: Path, monitor: int) -> dict[str, Any]:
        started.append(subprocess.Popen(nats_command(config), env={"POD_NAME": "nats-0"}, stderr=subprocess.DEVNULL))
        limit = time.monotonic() + 20
        while True:
            try:
                said = {page: _page(monitor, page) for page in ("healthz", "varz", "jsz")}
            except OSError:
                assert started[-1].poll() is None, "it does not start"
                assert time.monotonic() < limit
                time.sleep(0.05)
            else:
                return said

    yield start
    for server in started:
        server.kill()
        server.wait()


def _page(port: int, name: str) -> dict[str, Any]:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/{name}", timeout=2) as answer:
        read: dict[str, Any] = json.loads(answer.read())
        return read


def kept(said: dict[str, Any]) -> dict[str, Any]:
    """What a client can tell, and what a crash leaves."""
    jetstream = {key: said["jsz"]["config"].get(key) for key in ("max_memory", "max_storage", "sync_always")}
    return {**jetstream, **{key: said["varz"].get(key) for key in ("max_payload", "auth_required", "max_connections")}}


def test_it_is_configured_as_elsewhere(tmp_path: Path, ask: Ask) -> None:
    generate.generate(tmp_path / "generated", "0123456789ab")
    place = generate.Generated(tmp_path / "generated", Ports())
    ports = [free_port() for _ in range(4)]
    elsewhere, here = tmp_path / "elsewhere.conf", tmp_path / "here" / CONFIG.name
    elsewhere.write_text(nats_config.render(ports[0], tmp_path / "one", nats_config.users(place), ports[1]))
    here.parent.mkdir()
    (here.parent / "users.conf").symlink_to(place.secrets / "nats" / "users.conf")
    text = re.sub(r"0\.0\.0\.0:4222", f"127.0.0.1:{ports[2]}", CONFIG.read_text())
    text = re.sub(r"0\.0\.0\.0:8222", f"127.0.0.1:{ports[3]}", text)
    here.write_text(text.replace("store_dir: /jetstream", f"store_dir: {tmp_path / 'two'}"))
    one, two = ask(elsewhere, ports[1]), ask(here, ports[3])
    assert two["healthz"] == {"status": "ok"}
    assert two["varz"]["server_name"] == "nats-0"
    assert kept(one) == kept(two)
    assert kept(two)["sync_always"] is True
