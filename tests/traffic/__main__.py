"""Drives the shop with many customers: `python -m tests.traffic --orders 2000 --concurrency 32 [--seed S]`.

Exit code 0, 1 when anything unexpected was seen, an order was lost or is not final, 2 when there is no shop to drive.
"""

import argparse
import asyncio
import dataclasses
import os
import random
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson
import uvloop
from rich.console import Console

from deploy.local.place import Place
from tests.traffic.api import Api, Unexpected
from tests.traffic.old_run import run_old, show_old
from tests.traffic.old_shop import Refused
from tests.traffic.report import show, summary
from tests.traffic.run import EmptyCatalogue, Options, run
from tests.traffic.tally import Tally


def main() -> int:
    """Entry point of the command."""
    arguments = _arguments()
    console = Console(highlight=False, soft_wrap=True)
    options = Options(
        url=arguments.url.rstrip("/"),
        orders=arguments.orders,
        concurrency=arguments.concurrency,
        seed=random.randrange(2**32) if arguments.seed is None else arguments.seed,
        rate=arguments.rate,
        only_good=arguments.cards == "good",
    )
    try:
        return uvloop.run(_main(options, arguments.client, console, arguments.json))
    except KeyboardInterrupt:
        return 130


async def _main(options: Options, client: str, console: Console, json: Path | None) -> int:
    async with Api(options.url, Tally()) as api:
        if not await api.reachable():
            sys.stderr.write(f"traffic: no gateway at {options.url}; is the shop running? See `make status`.\n")
            return 2
    console.print(f"traffic at {options.url}, seed {options.seed}", markup=False)
    if client == "both":
        options = dataclasses.replace(options, orders=-(-options.orders // 2), concurrency=-(-options.concurrency // 2))
    try:
        found = await asyncio.gather(*(CLIENTS[name](options, console) for name in CLIENTS if client in (name, "both")))
    except EmptyCatalogue:
        sys.stderr.write("traffic: the catalogue is empty; `make up` fills it.\n")
        return 2
    except (Unexpected, Refused) as error:
        sys.stderr.write(f"traffic: customers cannot even begin: {error}\n")
        return 1
    for figures in found:
        (show if "outcomes" in figures else show_old)(figures, console)
    if json is not None:
        figures = found[0] if client != "both" else dict(zip(CLIENTS, found, strict=True))
        await asyncio.to_thread(json.write_bytes, orjson.dumps(figures, option=orjson.OPT_INDENT_2))
    return int(any(figures["failed"] for figures in found))


async def _run_modern(options: Options, console: Console) -> Mapping[str, Any]:
    return summary(await run(options, console))


CLIENTS = {"modern": _run_modern, "legacy": run_old}


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.traffic", description=__doc__)
    parser.add_argument("--client", choices=(*CLIENTS, "both"), default="modern", help="both: half of the orders each")
    parser.add_argument("--orders", type=_count, default=2000)
    parser.add_argument("--concurrency", type=_count, default=32, help="visits under way at any time")
    parser.add_argument("--seed", type=int, help="the same seed gives the same plan; without it one is drawn and shown")
    parser.add_argument("--url", default=os.environ.get("BANYAN_URL") or Place.current().ports.url("gateway"))
    parser.add_argument("--rate", type=float, help="visits begun a second (open loop); orders are watched until final")
    parser.add_argument("--cards", choices=("mixed", "good"), default="mixed", help="good: all pay, nobody cancels")
    parser.add_argument("--json", type=Path, help="write the figures to this file as well")
    return parser.parse_args()


def _count(text: str) -> int:
    if (number := int(text)) < 1:
        raise argparse.ArgumentTypeError("at least 1")
    return number


if __name__ == "__main__":
    sys.exit(main())
