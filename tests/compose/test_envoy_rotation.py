"""The real Envoy, as Compose runs it: certificates that are renewed under it count without a restart."""

import datetime
import json
import os
import shutil
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from deploy.compose import certificates
from deploy.local.place import ROOT
from tests.compose.composition import services
from tests.images import docker
from tests.servers.mounted import Mounted

IMAGE = os.environ.get("ENVOY_IMAGE") or services()["legacy-envoy"]["image"]
HARDENED = ("--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges")
SERVER = ("legacy-ca.pem", "legacy-server.pem", "legacy-server.key")
pytestmark = pytest.mark.images


@dataclass(frozen=True)
class Pair:
    """Certificates for both ends, of one authority."""

    server: Path
    client: Path

    def served(self) -> dict[str, str | bytes]:
        """What Envoy is to have."""
        return {name: (self.server / name).read_bytes() for name in SERVER}

    def context(self) -> ssl.SSLContext:
        """What the facade comes with."""
        made = ssl.create_default_context(cafile=self.client / "legacy-ca.pem")
        made.load_cert_chain(self.client / "legacy-client.pem", self.client / "legacy-client.key")
        return made


def _pair(place: Path, age: datetime.timedelta = datetime.timedelta()) -> Pair:
    made = Pair(place / "server", place / "client")
    made.server.mkdir(parents=True)
    made.client.mkdir()
    certificates.provide(made.server, made.client, datetime.datetime.now(datetime.UTC) - age)
    return made


@pytest.fixture
def start() -> Iterator[Callable[[Path, Path], int]]:
    """Runs Envoy with a folder of configuration and one of certificates; returns its port on this machine."""
    if not docker.answers() or not docker.exists(IMAGE):
        pytest.skip(f"there is no Docker engine with {IMAGE}: docker pull it")
    started: list[str] = []

    def run(config: Path, mounted: Path) -> int:
        volumes = [f"--volume={config}:/etc/envoy:ro", f"--volume={mounted}:/run/certificates:ro"]
        # The owner of the files, as in the containers: a key is for nobody else.
        options = (*HARDENED, f"--user={os.getuid()}:{os.getgid()}", "--publish=127.0.0.1::8443", *volumes)
        started.append(docker.docker("run", "--detach", *options, IMAGE, *services()["legacy-envoy"]["command"]))
        ports = json.loads(docker.docker("inspect", "--format={{json .NetworkSettings.Ports}}", started[-1]))
        return int(ports["8443/tcp"][0]["HostPort"])

    yield run
    for container in started:
        print(docker.run("logs", container).stderr)
        docker.docker("rm", "--force", "--volumes", container)


def _answered(port: int, pair: Pair) -> bool:
    """Whether both ends believe each other, up to an answer: in TLS 1.3 a client is refused after its own handshake."""
    try:
        with (
            socket.create_connection(("127.0.0.1", port), timeout=2) as plain,
            pair.context().wrap_socket(plain, server_hostname=certificates.SERVER) as wire,
        ):
            wire.sendall(b"GET /legacy/health HTTP/1.1\r\nHost: legacy\r\n\r\n")
            return wire.recv(100).startswith(b"HTTP/1.1 503")  # by Envoy: there is no old shop here
    except OSError:
        return False


def _soon(condition: Callable[[], bool], seconds: float = 30) -> bool:
    limit = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > limit:
            return False
        time.sleep(0.1)
    return True


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """What `setup` copies, and kustomize puts into a ConfigMap."""
    folder = tmp_path / "config"
    folder.mkdir()
    for file in (ROOT / "deploy" / "services" / "legacy").glob("envoy*.yaml"):
        shutil.copy(file, folder)
    return folder


def test_a_secret_that_kubelet_swaps_is_served_without_a_restart(
    start: Callable[[Path, Path], int], config: Path, tmp_path: Path
) -> None:
    before, after = _pair(tmp_path / "before"), _pair(tmp_path / "after")
    mounted = Mounted(tmp_path / "mounted", before.served())
    port = start(config, mounted.path)
    assert _soon(lambda: _answered(port, before))
    assert not _answered(port, after)
    mounted.replace(after.served())
    assert _soon(lambda: _answered(port, after))
    assert not _answered(port, before), "the authority before is believed no more"


def test_files_that_setup_makes_anew_are_served_without_a_restart(
    start: Callable[[Path, Path], int], config: Path, tmp_path: Path
) -> None:
    pair = _pair(tmp_path / "pair", age=datetime.timedelta(days=310))
    port = start(config, pair.server)
    assert _soon(lambda: _answered(port, pair))
    assert certificates.provide(pair.server, pair.client)
    assert _soon(lambda: _answered(port, pair))
