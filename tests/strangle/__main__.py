"""Replaces the old shop under traffic, step by step, and tells what happens: `python -m tests.strangle`.

Needs a shop that runs: `make up`, or `docker compose up` and `--target compose`. Exit code 0; 1 when a request of a
customer failed, a step did not go as it should, or the books do not balance.
"""

import argparse
import asyncio
import sys
from typing import Any

from rich.console import Console
from rich.table import Table

from deploy.local.place import Place
from deploy.local.screen import RunError
from tests.strangle.hands import ComposeHands, Hands, LocalHands, Traffic
from tests.strangle.migration import Migration
from tests.strangle.story import Story


def main() -> int:
    """Entry point of the command."""
    arguments = _arguments()
    console = Console(highlight=False, soft_wrap=True)
    try:
        return asyncio.run(_main(arguments, console))
    except RunError as error:
        console.print(f"\n✗ {error}", style="bold red", markup=False)
        if error.advice:
            console.print(f"  → {error.advice}", markup=False)
        return 1
    except KeyboardInterrupt:
        return 130


async def _main(arguments: argparse.Namespace, console: Console) -> int:
    hands: Hands = ComposeHands() if arguments.target == "compose" else LocalHands(Place.current())
    url = hands.url
    traffic = Traffic(url, arguments.rate)
    console.print(
        f"Both shops at {url}, {arguments.rate:g} visits a second, half of them in the old one.", markup=False
    )
    try:
        async with Migration(url, hands.operator_password) as migration:
            story = Story(console, migration, hands, traffic, arguments.rounds, arguments.seconds)
            await story.tell()
            status = await migration.status()
    finally:
        seen = await traffic.stop()
    _show(seen, status["orders"]["holds"], console)
    console.print()
    balanced = await hands.verify()
    failed = bool(seen["failed"])
    verdict = "Replaced, and no customer has noticed." if balanced and not failed else "Replaced, but not unnoticed."
    console.print(f"\n{verdict}", style="bold green" if balanced and not failed else "bold red")
    console.print("The old shop is stopped. The same command starts it and begins again.", style="dim")
    return int(failed or not balanced)


def _show(seen: dict[str, Any], holds: dict[str, Any], console: Console) -> None:
    table = Table("customers", box=None, pad_edge=False)
    table.add_column("", justify="right")
    times = seen["latency"]["all"]
    table.add_row("requests of both shops", str(seen["sent"]))
    table.add_row("a second", f"{seen['sent'] / seen['seconds']:.0f}")
    table.add_row("failed", str(seen["failed"]), style="bold red" if seen["failed"] else None)
    table.add_row("p50, p99", f"{1000 * times['p50']:.0f} ms, {1000 * times['p99']:.0f} ms")
    if holds.get("count"):
        table.add_row("writes held at cut-overs", str(holds["count"]))
        table.add_row("the longest hold", f"{holds['longest_seconds']:.2f} s")
    console.print()
    console.print(table)
    for why, count in seen["why"].items():
        console.print(f"  {count:>6}  {why}", style="red", markup=False)
    for failure in seen["failures"][:5]:
        console.print(f"          {failure['detail']}", style="dim", markup=False)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.strangle", description=__doc__)
    parser.add_argument("--target", choices=("local", "compose"), default="local", help="how the shop runs")
    parser.add_argument("--rate", type=float, default=60, help="visits begun a second (60)")
    parser.add_argument("--rounds", type=int, default=1, help="cut-overs that are rolled back (1)")
    parser.add_argument("--seconds", type=float, default=8, help="that each stage is watched (8)")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
