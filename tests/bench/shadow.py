"""Whether customers feel the mirror: `python -m tests.bench.shadow`, on a stack of its own, some four minutes.

Customers of the old shop at a steady rate, in turn with the catalogue at `legacy` (nothing is mirrored), in `shadow`,
in `shadow` while the new side's catalogue takes ten seconds for each answer, and while it is dead.
"""

import argparse
import asyncio
import os
import statistics
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import httpx
from httpx_aiohttp import AiohttpTransport

from deploy.local import commands, ports_check
from deploy.local.place import ROOT, Place
from deploy.local.screen import Screen
from deploy.local.supervisor import Supervisor
from deploy.local.up import up
from tests.bench import sections
from tests.bench.checkout import HOME
from tests.strangle.hands import LocalHands
from tests.strangle.migration import Migration
from tests.traffic.old_load import OldLoad
from tests.traffic.old_shop import OldShop
from tests.traffic.record import Record
from tests.traffic.steady import drive
from tests.traffic.tally import percentile

# What the mirror copies: reads of the catalogue. Purchases and logins have times of their own.
MIRRORED = ("browse", "product", "search", "front page", "search page", "book page")
PAGE = ROOT / "docs" / "benchmarks.md"
OFF, ON, SLOW, DEAD = "off", "on", "on, the new side 10 s slow", "on, the new side dead"
WARM_SECONDS = 3.0


@dataclass(frozen=True)
class Mode:
    """Milliseconds of the mirrored requests: medians of the rounds. `failed` of all of them."""

    name: str
    p50: float
    p99: float
    failed: int


class Bench:
    """One stack, one load, four ways of mirroring."""

    def __init__(self, place: Place, migration: Migration, load: OldLoad, record: Record, rate: float) -> None:
        self._place, self._migration, self._load, self._record, self._rate = place, migration, load, record, rate
        self._supervisor = Supervisor(place)
        self.begins: Mapping[str, Callable[[], Awaitable[None]]] = {
            OFF: lambda: self._stage("legacy"),
            ON: lambda: self._stage("shadow"),
            SLOW: self._slow,
            DEAD: self._dead,
        }
        self.failed = 0

    async def round(self, mode: str, seconds: float) -> tuple[float, float]:
        """p50 and p99 in milliseconds."""
        await self.begins[mode]()
        await drive(self._load, self._rate, WARM_SECONDS, asyncio.Event())
        self._record.begin()
        await drive(self._load, self._rate, seconds, asyncio.Event())
        times = [1000 * value for name in MIRRORED for value in self._record.latencies[name]]
        self.failed += sum(self._record.why.values())
        await self._mend()
        return percentile(times, 0.5), percentile(times, 0.99)

    async def _stage(self, to: str) -> None:
        if (await self._migration.status())["catalog"]["stage"] != to:
            await self._migration.move("catalog", to)

    async def _slow(self) -> None:
        await self._stage("shadow")
        await self._faults("PUT", [{"delay_ms": 10_000}])

    async def _dead(self) -> None:
        await self._stage("shadow")
        await asyncio.to_thread(self._supervisor.stop_program, "catalog")

    async def _mend(self) -> None:
        self._supervisor.start_program("catalog")
        await self._stage("legacy")
        for _ in range(100):
            try:
                await self._faults("DELETE")
                return
            except httpx.TransportError:
                await asyncio.sleep(0.1)

    async def _faults(self, method: str, body: object = None) -> None:
        headers = {"Authorization": f"Bearer {self._place.secret('catalog', 'faults_token')}"}
        async with httpx.AsyncClient(transport=AiohttpTransport(), headers=headers) as client:
            await client.request(method, f"{self._place.ports.url('catalog')}/faults", json=body)


async def measure(place: Place, rate: float, seconds: float, rounds: int) -> tuple[list[Mode], list[float]]:
    """Each mode, and p99 of `on` against the `off` beside it, round by round."""
    url, record = place.ports.url("gateway"), Record()
    password = place.secret("identity", "operator_password")
    await LocalHands(place).snapshot()  # or nothing would be alike
    async with Migration(url, password) as migration, OldShop(url, record.observe) as shop:
        bench = Bench(place, migration, await OldLoad.begin(shop, record), record, rate)
        found: dict[str, list[tuple[float, float]]] = {mode: [] for mode in bench.begins}
        failed: dict[str, int] = {}
        for _ in range(rounds):
            for mode in bench.begins:
                before = bench.failed
                found[mode].append(await bench.round(mode, seconds))
                failed[mode] = failed.get(mode, 0) + bench.failed - before
    ratios = [on[1] / off[1] for on, off in zip(found[ON], found[OFF], strict=True)]
    return [_median(mode, values, failed[mode]) for mode, values in found.items()], ratios


def _median(name: str, values: Sequence[tuple[float, float]], failed: int) -> Mode:
    p50, p99 = (statistics.median(column) for column in zip(*values, strict=True))
    return Mode(name, p50, p99, failed)


def section(modes: Sequence[Mode], ratios: Sequence[float], rate: float) -> str:
    """The section of docs/benchmarks.md."""
    rows = "".join(f"| {mode.name} | {mode.p50:.1f} | {mode.p99:.1f} | {mode.failed} |\n" for mode in modes)
    return f"""## The mirror

Written by `python -m tests.bench.shadow --write` on {datetime.now(UTC):%Y-%m-%d}. Customers of the old shop,
{rate:.0f} visits a second, everything on this machine; {len(ratios)} rounds in turn, medians. The bar: p99 with it
on within 5 % of off. Seen: {statistics.median(ratios):.2f} times ({", ".join(f"{ratio:.2f}" for ratio in ratios)}).

| mirror | p50, ms | p99, ms | failed |
| --- | --- | --- | --- |
{rows}"""


def main() -> None:
    """Entry point of the command."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.shadow", description=__doc__)
    parser.add_argument("--rate", type=float, default=50, help="visits begun a second")
    parser.add_argument("--seconds", type=float, default=12, help="of each round")
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--write", action="store_true", help="put the figures into docs/benchmarks.md")
    arguments = parser.parse_args()
    os.environ["BANYAN_HOME"] = HOME
    screen = Screen()
    with Place.current().alone():
        commands.clean(Place.current(), screen)
        up(Place.current(), ports_check.free_ports(), screen, faults=True)
        try:
            modes, ratios = asyncio.run(measure(Place.current(), arguments.rate, arguments.seconds, arguments.rounds))
        finally:
            commands.down(Place.current(), screen)
            commands.clean(Place.current(), screen)
    for mode in modes:
        screen.say(f"mirror {mode.name:<28} p50 {mode.p50:6.1f} ms  p99 {mode.p99:6.1f} ms  failed {mode.failed}")
    screen.say(f"p99 on against off, round by round: {', '.join(f'{ratio:.2f}' for ratio in ratios)}")
    if arguments.write:
        PAGE.write_text(sections.put(sections.read(PAGE), section(modes, ratios, arguments.rate)))


if __name__ == "__main__":
    main()
