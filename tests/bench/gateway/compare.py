"""The comparison itself: proxies in turn, round after round, so that a machine that slows down slows all of them."""

import statistics
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from tests.bench.gateway.processes import (
    LOAD_CORE,
    PROXY_CORE,
    Proxy,
    free_port,
    gateway_environment,
    load,
    module,
    running,
    sign_in,
    traefik,
)
from tests.bench.gateway.upstream import LARGE_PATH, SMALL_PATH

SIZES = {"450 bytes": SMALL_PATH, "64 KiB": LARGE_PATH}
WARM_UP = 0.5
Start = Callable[[ExitStack, int, Path], Proxy]


@dataclass(frozen=True)
class Run:
    """One load of one proxy. `cpu_us`: processor time of the proxy a request, in microseconds."""

    rps: float
    p99_ms: float
    cpu_us: float


@dataclass(frozen=True)
class Row:
    """Medians of one proxy at one size of answer, and the proxy's memory after them."""

    proxy: str
    answer: str
    rps: float
    p99_ms: float
    cpu_us: float
    memory_mib: float


def start_gateway(stack: ExitStack, upstream: int, folder: Path) -> Proxy:
    """The gateway, all features on."""
    port = free_port()
    command = [*module("loader")[:2], "gateway.main"]
    environment = gateway_environment(port, upstream)
    return stack.enter_context(running("gateway", PROXY_CORE, command, port, folder, environment))


def start_traefik(stack: ExitStack, upstream: int, folder: Path) -> Proxy:
    """Traefik, no feature on, one processor."""
    port = free_port()
    command = traefik(port, upstream, folder)
    return stack.enter_context(running("traefik", PROXY_CORE, command, port, folder, {"GOMAXPROCS": "1"}))


def start_naive(stack: ExitStack, upstream: int, folder: Path) -> Proxy:
    """FastAPI and httpx as one writes them first."""
    port = free_port()
    command = module("naive", port=port, upstream=f"http://127.0.0.1:{upstream}")
    return stack.enter_context(running("naive", PROXY_CORE, command, port, folder))


PROXIES: tuple[Start, ...] = (start_gateway, start_traefik, start_naive)


def compare(starts: Sequence[Start] = PROXIES, seconds: float = 3.0, rounds: int = 3) -> list[Row]:
    """Start all, load each in turn, stop all."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="banyan-bench-")))
        jwks, token = sign_in(folder)
        upstream = free_port()
        command = module("upstream", port=upstream, jwks=jwks)
        stack.enter_context(running("upstream", LOAD_CORE, command, upstream, folder))
        proxies = [start(stack, upstream, folder) for start in starts]
        for proxy in proxies:
            load(proxy.port, SMALL_PATH, token, WARM_UP)
        return [row for answer, path in SIZES.items() for row in _rounds(proxies, answer, path, token, seconds, rounds)]


def ratio(rows: Sequence[Row], proxy: str, other: str, answer: str, figure: str = "rps") -> float:
    """How many times `other`'s figure `proxy`'s is."""
    found = {row.proxy: float(getattr(row, figure)) for row in rows if row.answer == answer}
    return found[proxy] / found[other]


def _rounds(proxies: Sequence[Proxy], answer: str, path: str, token: str, seconds: float, rounds: int) -> list[Row]:
    runs: dict[str, list[Run]] = {proxy.name: [] for proxy in proxies}
    for _ in range(rounds):
        for proxy in proxies:
            runs[proxy.name].append(_run(proxy, path, token, seconds))
    return [_row(proxy, answer, runs[proxy.name]) for proxy in proxies]


def _run(proxy: Proxy, path: str, token: str, seconds: float) -> Run:
    before = proxy.cpu_seconds()
    report = load(proxy.port, path, token, seconds)
    used = proxy.cpu_seconds() - before
    rps, p99 = float(str(report["rps"])), float(str(report["p99_ms"]))
    return Run(rps, p99, used * 1e6 / (rps * seconds))


def _row(proxy: Proxy, answer: str, runs: Sequence[Run]) -> Row:
    return Row(
        proxy.name,
        answer,
        statistics.median(run.rps for run in runs),
        statistics.median(run.p99_ms for run in runs),
        statistics.median(run.cpu_us for run in runs),
        proxy.memory_mib(),
    )
