"""A run of customers of the old shop: each order that was accepted must be in its customer's list, once."""

import asyncio
import functools
import random
import time
from collections import Counter
from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table

from tests.traffic.old_shop import Customer, OldShop, Refused
from tests.traffic.old_visits import LISTED, Lost, Visits, new_customer, products_of
from tests.traffic.plan import customers_for
from tests.traffic.progress import counting
from tests.traffic.record import Record
from tests.traffic.run import Options, in_turn
from tests.traffic.tally import distribution


async def run_old(options: Options, console: Console) -> Mapping[str, Any]:
    """Prepare, drive, compare; returns the figures. Raises `Refused` when the shop does not even let one begin."""
    record = Record()
    async with OldShop(options.url, record.observe) as shop:
        visits = Visits(shop, await products_of(shop), random.Random(options.seed))
        customers = [new_customer(f"old-{number}") for number in range(customers_for(options.orders))]
        await in_turn(8, [functools.partial(visits.begin, customer) for customer in customers])
        record.begin()

        async def visit(number: int) -> None:
            try:
                await visits.visit(customers[number % len(customers)])
            except Refused:
                return  # recorded where it was seen
            except Lost as error:
                record.failed("visit", time.time(), "lost", str(error))

        begun = time.perf_counter()
        with counting(console, "old shop", options.orders) as advance:
            works = [functools.partial(visit, number) for number in range(options.orders)]
            await in_turn(options.concurrency, works, advance)
        seconds = time.perf_counter() - begun
        doubled = await asyncio.gather(*(_doubled(shop, customer) for customer in customers))
    for example in filter(None, doubled):
        record.failed("list", time.time(), "doubled", example)
    return _figures(record, customers, seconds) | {"sold_out": visits.sold_out}


async def _doubled(shop: OldShop, customer: Customer) -> str | None:
    """What is wrong with the newest orders of a customer's list."""
    listed = [order["id"] for order in (await shop.api("list", "GET", "orders", customer))["orders"]]
    twice = [number for number, times in Counter(listed).items() if times > 1]
    missing = set(customer.orders) - set(listed) if len(listed) < LISTED else set[int]()
    return f"{customer.email}: twice {twice}, missing {sorted(missing)}" if twice or missing else None


def _figures(record: Record, customers: list[Customer], seconds: float) -> dict[str, Any]:
    return {
        "accepted": sum(len(customer.orders) for customer in customers),
        "customers": len(customers),
        "seconds": seconds,
        "latency": {name: distribution(values) for name, values in sorted(record.latencies.items())},
        "why": dict(record.why),
        "examples": record.failures[:5],
        "failed": bool(record.why),
    }


def show_old(found: Mapping[str, Any], console: Console) -> None:
    """Print the figures."""
    console.print(
        f"\nold shop: {found['accepted']} orders of {found['customers']} customers in {found['seconds']:.1f} s",
        markup=False,
    )
    table = Table("milliseconds", box=None, pad_edge=False)
    for name in ("count", "p50", "p90", "p99", "max"):
        table.add_column(name, justify="right")
    for name, values in found["latency"].items():
        if values["count"]:
            figures = (f"{1000 * values[share]:.0f}" for share in ("p50", "p90", "p99", "max"))
            table.add_row(name, str(values["count"]), *figures)
    console.print(table)
    if found["sold_out"]:
        console.print(f"sold out: {', '.join(map(str, found['sold_out']))}", style="dim", markup=False)
    if not found["failed"]:
        console.print("nothing unexpected: no request failed, every order once in its list", style="bold green")
        return
    console.print("UNEXPECTED", style="bold red")
    for why, count in found["why"].items():
        console.print(f"  {count:>6}  {why}", markup=False)
    for example in found["examples"]:
        console.print(f"          {example['detail']}", style="dim", markup=False)
