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
from tests.strangle.migration import Migration, RefusedMove
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
    password, url = hands.operator_password, hands.url
    traffic = Traffic(url, arguments.rate)
    console.print(
        f"Both shops at {url}, {arguments.rate:g} visits a second, half of them in the old one.", markup=False
    )
    async with Migration(url, password) as migration:
        held_before = (await migration.status())["orders"]["holds"]["count"]
        try:
            await Story(console, migration, hands, traffic, arguments.rounds, arguments.seconds).tell()
        except (RunError, RefusedMove) as error:
            stages = ", ".join(f"{name} at {found['stage']}" for name, found in (await migration.status()).items())
            raise RunError(f"{error}. {stages}", "the same command begins again; make migration shows more") from error
        finally:
            seen = await traffic.stop()
            if seen:
                _show(seen, console)
        holds = (await migration.status())["orders"]["holds"]
    _show_holds(holds, held_before, console)
    console.print()
    balanced = await hands.verify()
    return _verdict(int(seen["failed"]), balanced, console)


def _verdict(failed: int, balanced: bool, console: Console) -> int:
    if not balanced:
        verdict = "Replaced, but the books do not balance, or could not be read."
    elif failed:
        verdict = f"Replaced, and {failed} requests of customers have failed."
    else:
        verdict = "Replaced, and no customer has noticed."
    console.print(f"\n{verdict}", style="bold red" if failed or not balanced else "bold green")
    console.print("The old shop is stopped. The same command starts it and begins again.", style="dim")
    return int(bool(failed) or not balanced)


def _show_holds(holds: dict[str, Any], before: int, console: Console) -> None:
    count = holds["count"] - before
    if holds["p99_seconds"] is None:
        console.print(f"{count} writes were held at cut-overs", markup=False)
        return
    times = f"p99 {holds['p99_seconds']:.2f} s, the longest {holds['longest_seconds']:.2f} s"
    console.print(f"{count} writes were held at cut-overs; of all that ever were: {times}", markup=False)


def _show(seen: dict[str, Any], console: Console) -> None:
    table = Table("customers", box=None, pad_edge=False)
    table.add_column("", justify="right")
    times = seen["latency"]["all"]
    table.add_row("requests of both shops", str(seen["sent"]))
    table.add_row("a second", f"{seen['sent'] / seen['seconds']:.0f}")
    table.add_row("failed", str(seen["failed"]), style="bold red" if seen["failed"] else None)
    table.add_row("p50, p99", f"{1000 * times['p50']:.0f} ms, {1000 * times['p99']:.0f} ms")
    console.print()
    console.print(table)
    for why, count in seen["why"].items():
        console.print(f"  {count:>6}  {why}", style="red", markup=False)
    for failure in seen["failures"][:5]:
        console.print(f"          {failure['detail']}", style="dim", markup=False)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.strangle", description=__doc__)
    parser.add_argument("--target", choices=("local", "compose"), default="local", help="how the shop runs")
    parser.add_argument("--rate", type=_rate, default=60, help="visits begun a second (60, at least 20)")
    parser.add_argument("--rounds", type=int, default=1, help="cut-overs that are rolled back (1)")
    parser.add_argument("--seconds", type=float, default=8, help="that each stage is watched (8)")
    return parser.parse_args()


def _rate(text: str) -> float:
    if (rate := float(text)) < 20:
        raise argparse.ArgumentTypeError("at least 20: with fewer visits there is too little to compare")
    return rate


if __name__ == "__main__":
    sys.exit(main())
