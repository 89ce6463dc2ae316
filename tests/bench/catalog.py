"""Catalog's read by ISBN against a FastAPI route that answers a constant: `python -m tests.bench.catalog`.

The servers have one core, the loader and PostgreSQL the other. Rounds alternate, so that a machine that slows down
slows both; the medians are compared.
"""

import argparse
import asyncio
import os
import secrets
import statistics
import sys
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import psutil

from chassis.migrate import upgrade
from deploy.local import servers
from tests.bench.constant import BOOK
from tests.bench.gateway.processes import LOAD_CORE, PROXY_CORE, Proxy, free_port, load, running
from tests.bench.gateway.upstream import SMALL_PATH

WARM_UP = 1.0
INSERT = """
    INSERT INTO books (isbn, title, author, year, price_amount, currency, version, title_key, author_key)
    VALUES ($1, $2, $3, $4, 2499, 'EUR', 1, lower($2), lower($3))
"""


@dataclass(frozen=True)
class Reads:
    """Medians of one server. `cpu_us`: its processor time a request, in microseconds."""

    rps: float
    p99_ms: float
    cpu_us: float


@dataclass(frozen=True)
class Comparison:
    """What both did, in turn, on the same core."""

    catalog: Reads
    constant: Reads

    @property
    def ratio(self) -> float:
        """Catalog's requests a second in those of the constant."""
        return self.catalog.rps / self.constant.rps

    @property
    def cpu_ratio(self) -> float:
        """The same by processor time: what the ratio is where nothing else runs."""
        return self.constant.cpu_us / self.catalog.cpu_us


def compare(seconds: float = 4.0, rounds: int = 3) -> Comparison:
    """Start everything, load both for `seconds` in each round, stop everything."""
    with ExitStack() as stack:
        path = stack.enter_context(tempfile.TemporaryDirectory(prefix="banyan-bench-", ignore_cleanup_errors=True))
        environment = stack.enter_context(_database(Path(path)))
        catalog = stack.enter_context(_catalog(Path(path), environment))
        constant = stack.enter_context(_constant(Path(path)))
        for server in (catalog, constant):
            _load(server, WARM_UP)
        runs = [(_load(catalog, seconds), _load(constant, seconds)) for _ in range(rounds)]
        return Comparison(*map(_median, zip(*runs, strict=True)))


@contextmanager
def _database(folder: Path) -> Iterator[dict[str, str]]:
    """PostgreSQL with the book in catalog's tables; yields catalog's settings for it."""
    password, port = secrets.token_hex(16), free_port()
    servers.prepare_postgres(folder / "postgres", password)
    process = servers.start_postgres(folder / "postgres", port)
    if hasattr(psutil.Process, "cpu_affinity"):  # not on macOS
        psutil.Process(process.pid).cpu_affinity([LOAD_CORE % (os.cpu_count() or 1)])  # its backends start there too
    url = f"postgresql://{servers.SUPERUSER}@{servers.LOOPBACK}:{port}/postgres"
    try:
        asyncio.run(_fill(url, password))
        yield {"DATABASE_URL": url, "DATABASE_PASSWORD": password}
    finally:
        servers.stop(process)


async def _fill(url: str, password: str) -> None:
    await upgrade("catalog", url, password)
    connection = await asyncpg.connect(url, password=password)
    await connection.execute(INSERT, *(BOOK[name] for name in ("isbn", "title", "author", "year")))
    await connection.close()


def _catalog(folder: Path, environment: dict[str, str]) -> AbstractContextManager[Proxy]:
    nobody = {"NATS_URL": "nats://127.0.0.1:1", "JWKS_URL": "http://127.0.0.1:1/"}  # neither is needed to read
    port = free_port()
    settings = {**environment, **nobody, "PORT": str(port), "DRAIN_SECONDS": "0"}
    return running("catalog", PROXY_CORE, [sys.executable, "-m", "catalog.main"], port, folder, settings)


def _constant(folder: Path) -> AbstractContextManager[Proxy]:
    port = free_port()
    command = [sys.executable, "-m", "tests.bench.constant", "--port", str(port)]
    return running("constant", PROXY_CORE, command, port, folder)


def _load(server: Proxy, seconds: float) -> Reads:
    before = server.cpu_seconds()
    report = load(server.port, SMALL_PATH, "", seconds)
    rps = float(report["rps"])  # type: ignore[arg-type]
    p99 = float(report["p99_ms"])  # type: ignore[arg-type]
    return Reads(rps, p99, (server.cpu_seconds() - before) / (rps * seconds) * 1e6)


def _median(runs: tuple[Reads, ...]) -> Reads:
    median = statistics.median
    return Reads(median(r.rps for r in runs), median(r.p99_ms for r in runs), median(r.cpu_us for r in runs))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    result = compare(arguments.seconds, arguments.rounds)
    for name, reads in (("catalog", result.catalog), ("constant", result.constant)):
        print(f"{name:10}{reads.rps:8.0f} requests/s   p99 {reads.p99_ms:7.2f} ms   {reads.cpu_us:6.1f} µs CPU")
    print(f"ratio     {result.ratio:8.2f} by requests/s, {result.cpu_ratio:.2f} by processor time")


if __name__ == "__main__":
    main()
