"""Starts what the benchmark compares, each pinned to one core: the upstream, the proxies, the loader."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
from joserfc import jwt
from joserfc.jwk import OKPKey

from tests.bench.gateway.upstream import SMALL_PATH

PROXY_CORE, LOAD_CORE = 0, 1
LOOPBACK = "127.0.0.1"
UPSTREAMS = ("identity", "catalog", "inventory", "orders", "payments", "facade")
_TRAEFIK = """
http:
  routers: {all: {rule: "PathPrefix(`/`)", service: upstream, entryPoints: [web]}}
  services: {upstream: {loadBalancer: {servers: [{url: "http://127.0.0.1:%d"}]}}}
"""


@dataclass(frozen=True)
class Proxy:
    """A proxy under test: its name, the port that it listens on, the process."""

    name: str
    port: int
    process: subprocess.Popen[bytes]

    def cpu_seconds(self) -> float:
        """Processor time that it and its children have used."""
        root = psutil.Process(self.process.pid)
        family = [root, *root.children(recursive=True)]
        return sum(sum(member.cpu_times()[:2]) for member in family)

    def memory_mib(self) -> float:
        """Its memory: PSS where the system tells it, else resident."""
        full = psutil.Process(self.process.pid).memory_full_info()
        return float(getattr(full, "pss", full.rss)) / 2**20


@contextmanager
def running(
    name: str, core: int, command: Sequence[str], port: int, folder: Path, environment: Mapping[str, str] | None = None
) -> Iterator[Proxy]:
    """A process on one core, from its first good answer until the end of the block."""
    with (folder / f"{name}.log").open("wb") as log:
        settings = {**os.environ, **(environment or {})}
        process = subprocess.Popen(command, stdout=log, stderr=log, env=settings, preexec_fn=lambda: _pin(core))
    try:
        _wait_until_answering(port, process, folder / f"{name}.log")
        yield Proxy(name, port, process)
    finally:
        _end(process)


def module(name: str, **options: object) -> list[str]:
    """The command that runs a module with these options."""
    pairs = ([f"--{key}", str(value)] for key, value in options.items())
    return [sys.executable, "-m", f"tests.bench.gateway.{name}", *(word for pair in pairs for word in pair)]


def gateway_environment(port: int, upstream: int) -> dict[str, str]:
    """All features on; the rate limit counts but does not bite, for one client sends everything."""
    url = f"http://{LOOPBACK}:{upstream}"
    return {
        "PORT": str(port),
        "JWKS_URL": f"{url}/api/identity/jwks.json",
        "RATE_READ": "1000000",
        "DRAIN_SECONDS": "0",
        **{f"UPSTREAM_{name.upper()}": url for name in UPSTREAMS},
    }


def traefik(port: int, upstream: int, folder: Path) -> list[str]:
    """Traefik without any feature."""
    configuration = folder / "traefik.yaml"
    configuration.write_text(_TRAEFIK % upstream)
    return [
        str(Path(sys.executable).with_name("traefik")),
        f"--entryPoints.web.address={LOOPBACK}:{port}",
        f"--providers.file.filename={configuration}",
        "--log.level=ERROR",
        "--global.checkNewVersion=false",
        "--global.sendAnonymousUsage=false",
    ]


def load(port: int, path: str, token: str, seconds: float) -> dict[str, object]:
    """Load a proxy over 32 connections; the loader's report."""
    command = module("loader", port=port, path=path, token=token, seconds=seconds)
    done = subprocess.run(command, check=True, capture_output=True, preexec_fn=lambda: _pin(LOAD_CORE))
    report: dict[str, object] = json.loads(done.stdout)
    assert set(report["statuses"]) == {"200"}, report  # type: ignore[call-overload]
    return report


def sign_in(folder: Path) -> tuple[Path, str]:
    """A key set for the upstream to serve, and a token that it verifies."""
    key = OKPKey.generate_key("Ed25519", {"kid": "bench"})
    jwks = folder / "jwks.json"
    jwks.write_text(json.dumps({"keys": [key.as_dict(private=False)]}))
    now = int(time.time())
    claims = {"iss": "banyan-identity", "aud": "banyan", "sub": str(uuid.uuid4()), "roles": ["customer"]}
    header = {"alg": "Ed25519", "kid": "bench", "typ": "at+jwt"}
    return jwks, jwt.encode(header, {**claims, "iat": now, "exp": now + 3600}, key, algorithms=["Ed25519"])


def free_port() -> int:
    """A port that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


def _end(process: subprocess.Popen[bytes]) -> None:
    family = [] if process.poll() is not None else [psutil.Process(process.pid)]
    family += [child for parent in family for child in parent.children(recursive=True)]
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        for member in family:
            with suppress(psutil.NoSuchProcess):
                member.kill()


def _pin(core: int) -> None:
    if hasattr(os, "sched_setaffinity"):  # not on macOS
        os.sched_setaffinity(0, {core % (os.cpu_count() or 1)})


def _wait_until_answering(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    request = f"GET {SMALL_PATH} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode()
    limit = time.monotonic() + 20
    while time.monotonic() < limit and process.poll() is None:
        try:
            with socket.create_connection((LOOPBACK, port), 1) as connection:
                connection.sendall(request)
                if b" 200 " in connection.recv(64):  # Traefik listens before it knows its routes
                    return
        except OSError:
            pass
        time.sleep(0.05)
    raise RuntimeError(f"{log.name} does not answer: {log.read_text()[-2000:]}")
