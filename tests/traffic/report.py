"""The summary of a run, for people and as JSON."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table

from tests.traffic.run import Outcome
from tests.traffic.tally import distribution

SHOWN = ("search", "read book", "place", "cancel", "read order", "list", "read history", "poll")


def summary(outcome: Outcome) -> dict[str, Any]:
    """Everything that the run has measured; times in seconds."""
    tally, orders = outcome.tally, outcome.orders
    confirmed = [order.seconds for order in orders if order.state == "confirmed"]
    return {
        "seed": outcome.options.seed,
        "orders": outcome.options.orders,
        "concurrency": outcome.options.concurrency,
        "rate": outcome.options.rate,
        "customers": outcome.customers,
        "accepted": outcome.accepted,
        "in_doubt": outcome.in_doubt,
        "seconds": outcome.seconds,
        "orders_per_second": outcome.accepted / outcome.seconds if outcome.seconds else 0.0,
        "settled_seconds": outcome.settled,
        "last_final_seconds": outcome.last_final,
        "generator_cpu_ms_per_order": 1000 * outcome.cpu_seconds / max(1, outcome.accepted),
        "latency": {name: distribution(values) for name, values in tally.latencies.items()},
        "placed_to_confirmed": distribution(confirmed),
        "placed_to_final": distribution([order.seconds for order in orders]),
        "outcomes": dict(Counter(_outcome(order.state, order.reason) for order in orders)),
        "retries": dict(tally.retries),
        "problems": dict(tally.problems),
        "notes": dict(tally.notes),
        "unexpected": {kind: {"count": n, "examples": tally.wrong[kind]} for kind, n in tally.wrong_counts.items()},
        "failed": outcome.failed,
    }


def _outcome(state: str, reason: str | None) -> str:
    return state if reason is None else f"{state}: {reason}"


def show(found: Mapping[str, Any], console: Console) -> None:
    """Print the summary."""
    console.print()
    console.print(
        f"{found['accepted']} orders of {found['customers']} customers in {found['seconds']:.1f} s: "
        f"{found['orders_per_second']:.1f} orders/s  (seed {found['seed']}; the generator itself used "
        f"{found['generator_cpu_ms_per_order']:.1f} ms of CPU an order)",
        markup=False,
    )
    console.print()
    console.print(_latencies(found))
    for title in ("outcomes", "problems", "retries", "notes"):
        _counts(console, title, found[title])
    _unexpected(console, found["unexpected"])


def _latencies(found: Mapping[str, Any]) -> Table:
    table = Table("milliseconds", box=None, pad_edge=False)
    for name in ("count", "p50", "p90", "p99", "max"):
        table.add_column(name, justify="right")
    rows = {name: found["latency"][name] for name in SHOWN if name in found["latency"]}
    rows["placed → confirmed, by the order's own times"] = found["placed_to_confirmed"]
    rows["placed → final, by the order's own times"] = found["placed_to_final"]
    if "place until seen final" in found["latency"]:
        rows["order sent → seen final"] = found["latency"]["place until seen final"]
    for name, values in rows.items():
        if values["count"]:
            figures = (f"{1000 * values[share]:.0f}" for share in ("p50", "p90", "p99", "max"))
            table.add_row(name, str(values["count"]), *figures)
    return table


def _counts(console: Console, title: str, counts: Mapping[str, int]) -> None:
    if counts:
        console.print(f"\n{title}", style="bold")
        for name, count in sorted(counts.items(), key=lambda item: -item[1]):
            console.print(f"  {count:>6}  {name}", markup=False)


def _unexpected(console: Console, found: Mapping[str, Any]) -> None:
    if not found:
        console.print("\nnothing unexpected: no wrong answer, no order lost, none open", style="bold green")
        return
    console.print("\nUNEXPECTED", style="bold red")
    for kind, seen in found.items():
        console.print(f"  {seen['count']:>6}  {kind}", markup=False)
        for example in seen["examples"]:
            console.print(f"          {example}", style="dim", markup=False)
