"""The operator's two commands for the migration: move a capability, and see where all of them stand."""

import asyncio
import os
from argparse import ArgumentParser, Namespace
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

from rich.table import Table

from deploy.local.place import Place
from deploy.local.programs import OPERATOR_EMAIL
from deploy.local.screen import RunError, Screen
from deploy.local.shop import Shop
from deploy.local.supervisor import Supervisor

PATH = "/api/migration"
REFUSALS = frozenset({409, 422})
STAGES = ("legacy", "shadow", "canary", "cutover", "modern", "retired")
SHOWN = 5
Capability = Mapping[str, Any]
Entry = Mapping[str, Any]
T = TypeVar("T")


def add_target(command: ArgumentParser) -> None:
    """What both take."""
    command.add_argument("--target", choices=("local", "compose"), default="local", help="how the shop runs")


def add_arguments(migrate: ArgumentParser) -> None:
    """What `migrate` takes."""
    add_target(migrate)
    migrate.add_argument("capability", help="catalog or orders")
    migrate.add_argument("to", choices=STAGES, metavar="to", help=f"one of {', '.join(STAGES)}")
    migrate.add_argument("--percent", type=int, help="of the customers, with canary")
    migrate.add_argument("--reason", default="", help="for the audit trail")
    migrate.add_argument("--force", action="store_true", help="against the guard; needs a reason")


def migrate(options: Namespace, place: Place, screen: Screen) -> None:
    """Move one capability; a refusal says what is missing."""
    if (options.to == "canary") != (options.percent is not None):
        raise RunError("a canary needs a share of the customers, and nothing else has one", "TO=canary PERCENT=10")
    wish = {"to": options.to, "reason": options.reason, "force": options.force}
    if options.percent is not None:
        wish["percent"] = options.percent
    with screen.step(f"{options.capability} to {options.to}") as step:
        standing = asyncio.run(_as_operator(options, place, lambda shop: move(shop, options.capability, wish)))
        step.detail = f"stands at {stage(standing)}"


def migration(options: Namespace, place: Place, screen: Screen) -> None:
    """Print the table, the last moves, and what differed last."""
    found, moves, samples = asyncio.run(_as_operator(options, place, _read_all))
    screen.console.print(table(found["items"]))
    if found["seeded_bug"]:
        screen.say(f"\na mistake is switched on, to be found: {found['seeded_bug']}", style="yellow")
    for title, lines in (("last moves", map(moved, moves)), ("newest differences", map(differing, samples))):
        for number, line in enumerate(lines):
            screen.say(f"\n{title}\n  {line}" if number == 0 else f"  {line}")


async def move(shop: Shop, capability: str, wish: Mapping[str, Any]) -> Capability:
    """Where it stands afterwards; raises `RunError` with what the facade says against it."""
    # Once: a cut-over that was undone holds writes for two seconds, and whether to try again is for people to say.
    answer = await shop.call(
        "PUT", f"{PATH}/capabilities/{capability}/stage", json=wish, accept=REFUSALS | {503}, attempts=1
    )
    if "stage" not in answer:
        advice = "make migration; FORCE=yes REASON=… goes on all the same"
        refused = answer.get("type") == "urn:banyan:problem:promotion-refused"
        raise RunError(f"{answer['title']}: {answer['detail']}", advice if refused else "make migration")
    standing: Capability = answer
    return standing


async def read(shop: Shop) -> Mapping[str, Any]:
    """All capabilities, and the mistake that is switched on."""
    found: Mapping[str, Any] = await shop.call("GET", f"{PATH}/capabilities")
    return found


async def _read_all(shop: Shop) -> tuple[Mapping[str, Any], list[Entry], list[Entry]]:
    found = await read(shop)
    moves = await shop.call("GET", f"{PATH}/audit", params={"limit": SHOWN})
    samples: list[Entry] = []
    for each in found["items"]:
        query = {"capability": each["name"], "limit": SHOWN}
        listed = await shop.call("GET", f"{PATH}/mismatches", params=query)
        samples += [{"capability": each["name"], **sample} for sample in listed["items"]]
    return found, moves["items"], samples


def moved(entry: Entry) -> str:
    """One line of the audit trail."""
    to = f"{entry['to_stage']} {entry['percent']} %" if entry["to_stage"] == "canary" else entry["to_stage"]
    forced = ", against the guard" if entry["forced"] else ""
    reason = f": {entry['reason']}" if entry["reason"] else ""
    return f"{entry['at'][:19]}  {entry['capability']} {entry['from_stage']} → {to} by {entry['who']}{forced}{reason}"


def differing(sample: Entry) -> str:
    """One pair of answers, and the first place where they differ."""
    first, *others = sample["differences"]
    more = f" (and {len(others)} more)" if others else ""
    said = f"{first['legacy']!r} in the old shop, {first['modern']!r} in the new"
    return (
        f"{sample['capability']} {sample['method']} {sample['path']}: {first['path']}, {first['class']}: {said}{more}"
    )


async def _as_operator(options: Namespace, place: Place, act: Callable[[Shop], Awaitable[T]]) -> T:
    url, password = in_containers() if options.target == "compose" else _on_this_machine(place)
    async with Shop(url) as shop:
        await shop.login(OPERATOR_EMAIL, password)
        return await act(shop)


def _on_this_machine(place: Place) -> tuple[str, str]:
    if not Supervisor(place).running():
        raise RunError("Banyan is not running here", "make up, or TARGET=compose for the one in containers")
    return place.ports.url("gateway"), place.secret("identity", "operator_password")


def in_containers() -> tuple[str, str]:
    """Address and operator's password of the project that the environment names, else of `banyan`."""
    from deploy.compose import project  # knows this package's table of services

    os.environ.setdefault("COMPOSE_PROJECT_NAME", "banyan")
    if len(project.containers("identity")) != 1:
        raise RunError("the shop does not run in containers here", "docker compose up --detach --wait")
    script = "print(open('/run/secrets/operator_password').read())"
    return project.url(), project.container("identity").python(script).strip()


def table(capabilities: list[Capability]) -> Table:
    """A column a capability: that stays narrow enough for a pipe."""
    shown = Table("", *(each["name"] for each in capabilities), box=None, pad_edge=False)
    for title, cell in ROWS.items():
        shown.add_row(title, *(cell(each) for each in capabilities))
    return shown


def stage(capability: Capability) -> str:
    """The stage, and what belongs to it."""
    percent = f" {capability['percent']} %" if capability["stage"] == "canary" else ""
    return f"{capability['stage']}{percent}{', writes are held' if capability['parked'] else ''}"


def _served(side: str) -> Callable[[Capability], str]:
    def cell(capability: Capability) -> str:
        served = capability["served"]
        total = sum(served.values())
        return f"{served[side]} ({served[side] / total:.0%})" if total else "0"

    return cell


def _latency(side: str) -> Callable[[Capability], str]:
    def cell(capability: Capability) -> str:
        times = capability["latency_ms"][side]
        return "-" if times["p50"] is None else f"{times['p50']:.1f} / {times['p99']:.1f} ms"

    return cell


def _lag(way: str) -> Callable[[Capability], str]:
    def cell(capability: Capability) -> str:
        lag = capability["lag_seconds"]
        return "unknown" if lag is None else f"{lag[way]:.1f} s"

    return cell


def _rate(capability: Capability) -> str:
    rate = capability["match_rate"]
    return "-" if rate is None else f"{rate:.2%}"


def _held(capability: Capability) -> str:
    holds = capability["holds"]
    return f"{holds['count']}, longest {holds['longest_seconds']:.2f} s" if holds["count"] else "0"


ROWS: Mapping[str, Callable[[Capability], str]] = {
    "stage": stage,
    "answered by the old shop": _served("legacy"),
    "answered by the new side": _served("modern"),
    "answers compared": lambda each: str(each["compared"]),
    "of them equal": _rate,
    "not compared (dropped)": lambda each: str(each["dropped"]),
    "new side failed": lambda each: str(each["failed"]["modern"]),
    "old shop, p50 / p99": _latency("legacy"),
    "new side, p50 / p99": _latency("modern"),
    "writes held at cut-overs": _held,
    "bridge behind, to the new": _lag("to_shop"),
    "bridge behind, to the old": _lag("to_legacy"),
}
