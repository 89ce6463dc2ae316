"""The whole shop under load: `python -m tests.bench.checkout`.

On a stack of its own: throughput of 2,000 orders, CPU and memory of each process meanwhile, then the time from placing
to confirmed at a steady 15 orders/s, and at the end the invariants.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from deploy.local import commands, ports_check
from deploy.local.place import ROOT, Place
from deploy.local.screen import Screen
from deploy.local.supervisor import Supervisor
from deploy.local.up import up

HOME = ".banyan/bench"
RATE = 15.0
MIB = 1024**2
OLD_ALONE = ("legacy", "postgres", "psp")  # what an order of the old shop needs; the others watch it, or pass it on


@dataclass(frozen=True)
class ProcessFigures:
    """One program with its children: CPU milliseconds an order, memory in MiB (PSS; USS where PSS is unknown)."""

    name: str
    cpu_ms_per_order: float
    memory_mib: float


@dataclass(frozen=True)
class Checkout:
    """Orders a second; seconds after the last answer until all were final; seconds from placed to confirmed.

    `old`: CPU milliseconds of an order of the old shop, by process, while it answers its customers itself.
    `up_seconds`: from nothing, in an environment that is set up, until the first order was confirmed.
    """

    up_seconds: float
    orders: int
    orders_per_second: float
    settled_seconds: float
    generator_cpu_ms_per_order: float
    confirmed_p50: float
    confirmed_p99: float
    processes: tuple[ProcessFigures, ...]
    old: Mapping[str, float]

    @property
    def memory_mib(self) -> float:
        return sum(process.memory_mib for process in self.processes)


def measure(orders: int = 2000, concurrency: int = 32, steady_seconds: float = 20) -> Checkout:
    """Start a shop, load it, take it down. Raises `CalledProcessError` when traffic or the invariants fail."""
    os.environ["BANYAN_HOME"] = HOME
    with Place.current().alone(), _running() as (supervisor, up_seconds):
        before = _cpu_seconds(supervisor)
        load = _traffic("--orders", str(orders), "--concurrency", str(concurrency), "--seed", "1")
        after = _cpu_seconds(supervisor)
        memory = _memory(supervisor)
        old = _old_shop(supervisor, orders // 2, concurrency)
        steady = _traffic("--orders", str(int(RATE * steady_seconds)), "--rate", str(RATE), "--cards", "good")
        subprocess.run([sys.executable, "-m", "tests.invariants"], check=True, cwd=ROOT)
    return Checkout(
        up_seconds,
        orders,
        load["orders_per_second"],
        load["settled_seconds"],
        load["generator_cpu_ms_per_order"],
        steady["placed_to_confirmed"]["p50"],
        steady["placed_to_confirmed"]["p99"],
        tuple(ProcessFigures(n, 1000 * (after[n] - before[n]) / orders, memory[n]) for n in sorted(after)),
        old,
    )


def _old_shop(supervisor: Supervisor, orders: int, concurrency: int) -> Mapping[str, float]:
    before = _cpu_seconds(supervisor)
    load = _traffic("--client", "legacy", "--orders", str(orders), "--concurrency", str(concurrency), "--seed", "1")
    after = _cpu_seconds(supervisor)
    return {name: 1000 * (after[name] - before[name]) / load["accepted"] for name in sorted(after)}


@contextmanager
def _running() -> Iterator[tuple[Supervisor, float]]:
    screen = Screen()
    commands.clean(Place.current(), screen)
    begun = time.perf_counter()
    up(Place.current(), ports_check.free_ports(), screen)
    try:
        yield Supervisor(Place.current()), time.perf_counter() - begun
    finally:
        commands.down(Place.current(), screen)
        commands.clean(Place.current(), screen)


def _traffic(*arguments: str) -> Mapping[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "traffic.json"
        command = [sys.executable, "-m", "tests.traffic", *arguments, "--json", str(report)]
        subprocess.run(command, check=True, cwd=ROOT)
        found: Mapping[str, Any] = json.loads(report.read_bytes())
    return found


def _families(supervisor: Supervisor) -> dict[str, list[psutil.Process]]:
    """Each program's process and its children, and Supervisor itself."""
    programs = [psutil.Process(process.pid) for process in supervisor.processes() if process.pid]
    names = {process.pid: process.name for process in supervisor.processes()}
    families = {names[program.pid]: [program, *program.children(recursive=True)] for program in programs}
    return {**families, "supervisor": [programs[0].parent() or programs[0]]}


def _cpu_seconds(supervisor: Supervisor) -> dict[str, float]:
    def used(process: psutil.Process) -> float:
        try:
            times = process.cpu_times()
        except psutil.NoSuchProcess:  # a connection of PostgreSQL that has just been closed: its parent has counted it
            return 0.0
        # What ended children have used stands in their parent: PostgreSQL's closed connections are counted so.
        return times.user + times.system + times.children_user + times.children_system

    families = _families(supervisor)
    totals = {name: sum(map(used, family)) for name, family in families.items() if name != "supervisor"}
    return {**totals, "supervisor": sum(families["supervisor"][0].cpu_times()[:2])}


def _memory(supervisor: Supervisor) -> dict[str, float]:
    def size(process: psutil.Process) -> float:
        try:
            full = process.memory_full_info()
        except psutil.NoSuchProcess:
            return 0.0
        return getattr(full, "pss", full.uss) / MIB

    return {name: sum(map(size, family)) for name, family in _families(supervisor).items()}


def main() -> None:
    """Entry point of the command."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.checkout", description=__doc__)
    parser.add_argument("--orders", type=int, default=2000)
    parser.add_argument("--concurrency", type=int, default=32)
    arguments = parser.parse_args()
    result = measure(arguments.orders, arguments.concurrency)
    print(f"{result.orders_per_second:.1f} orders/s, all final {result.settled_seconds:.1f} s after the last answer")
    print(
        f"placed → confirmed at {RATE:.0f} orders/s: p50 {result.confirmed_p50:.3f} s, p99 {result.confirmed_p99:.3f} s"
    )
    for process in result.processes:
        print(f"{process.name:12} {process.cpu_ms_per_order:6.2f} ms CPU an order {process.memory_mib:7.1f} MiB")
    for name in OLD_ALONE:
        print(f"{name:12} {result.old[name]:6.2f} ms CPU an order of the old shop")
    print(f"{'all':12} {sum(p.cpu_ms_per_order for p in result.processes):6.2f} ms {result.memory_mib:17.1f} MiB")


if __name__ == "__main__":
    main()
