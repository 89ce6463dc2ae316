"""Measure everything and write docs/benchmarks.md: `make bench`, some five minutes on two cores."""

import argparse
import subprocess
from pathlib import Path

from rich.console import Console

from deploy.local.place import ROOT
from deploy.local.screen import RunError
from tests.bench import catalog, checkout, report, sections
from tests.bench.gateway.compare import compare

PAGE = ROOT / "docs" / "benchmarks.md"


def main() -> int:
    """Entry point of the command; 1 when a benchmark could not be run, and then nothing is written."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--seconds", type=float, default=4.0, help="of load in each round of the comparisons")
    parser.add_argument("--rounds", type=int, default=3, help="of each comparison; medians are kept")
    parser.add_argument("--orders", type=int, default=2000)
    parser.add_argument("--output", type=Path, default=PAGE)
    arguments = parser.parse_args()
    console = Console(highlight=False)
    try:
        console.print("1 of 3  gateway, Traefik and the naive proxy", style="bold")
        proxies = compare(seconds=arguments.seconds, rounds=arguments.rounds)
        console.print("2 of 3  catalog's read by ISBN and the constant route", style="bold")
        reads = catalog.compare(arguments.seconds, arguments.rounds)
        console.print("3 of 3  checkout, on a stack of its own", style="bold")
        orders = checkout.measure(arguments.orders)
    except (RunError, subprocess.CalledProcessError, RuntimeError) as error:
        console.print(f"bench: {error}; nothing was written", style="bold red", markup=False)
        return 1
    page = sections.merge(sections.read(arguments.output), report.page(proxies, reads, orders))
    arguments.output.write_text(page)
    console.print(page, markup=False, soft_wrap=True)
    console.print(f"written to {arguments.output}", markup=False)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
