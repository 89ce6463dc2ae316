"""The acts of the migration, each a sentence, what is done, and what was seen meanwhile."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from rich.console import Console

from deploy.local.screen import RunError
from tests.strangle.hands import Hands, Traffic
from tests.strangle.migration import Migration, RefusedMove

COMPARISONS = 200  # what the facade asks for before it lets a capability go on
PATIENCE = 90.0
BUG = "price-rounding"


@dataclass
class Story:
    """Tells and does. `rounds`: cut-overs that are taken back; `seconds`: for how long each stage is watched."""

    console: Console
    migration: Migration
    hands: Hands
    traffic: Traffic
    rounds: int
    seconds: float
    act: int = 0

    async def tell(self) -> None:
        """All acts. Raises `RunError` at the first thing that is not as it should be."""
        await self._begin_again()
        await self._act("Customers of both shops come in; the old shop answers its own", self.traffic.start)
        await self._act("What the old shop has is copied, while it goes on selling", self.hands.snapshot, watch=False)
        await self._shadow_finds_a_bug()
        await self._act("Without the bug: shadow again", lambda: self._compare("catalog"))
        for percent in (10, 50, 100):
            await self._act(f"{percent} % of the customers are answered by the new services", self._canary(percent))
        await self._act("The new services answer all who look for books", self._move("catalog", "modern"))
        await self._act("Orders: the new side prices what the old one sells", lambda: self._compare("orders"))
        for _ in range(self.rounds):
            await self._act("Cut-over: from now on the new side sells", self._cut_over)
            await self._act("Roll-back: the old side sells again, with all orders", self._move("orders", "shadow"))
        await self._act("Cut-over again", self._cut_over)
        await self._act("Both capabilities are retired: the old shop is asked no more", self._retire)
        await self._act("The old shop is stopped", lambda: self.hands.switch_legacy(on=False))

    async def _begin_again(self) -> None:
        """From wherever the last story has ended."""
        await self.hands.switch_legacy(on=True)
        await self.migration.seed_bug(None)
        for name, found in (await self.migration.status()).items():
            if found["stage"] != "legacy":
                await self.migration.move(name, "legacy", force="the story begins again")

    async def _act(self, title: str, do: Callable[[], Awaitable[None]], *, watch: bool = True) -> None:
        self.act += 1
        self.console.print(f"\n[bold]{self.act:>2}. {title}[/bold]")
        begun = time.monotonic()
        before = await self.migration.status()
        await do()
        took = time.monotonic() - begun
        if watch:
            await asyncio.sleep(self.seconds)
        self._report(before, await self.migration.status(), took)

    def _report(self, before: Mapping[str, Any], after: Mapping[str, Any], took: float) -> None:
        for name, found in after.items():
            served = found["served"]
            gone = {side: served[side] - before[name]["served"].get(side, 0) for side in served}
            answered = ", ".join(f"{side} {max(count, 0)}" for side, count in gone.items())
            percent = f" {found['percent']} %" if found["stage"] == "canary" else ""
            self.console.print(
                f"    {name:<8} {found['stage'] + percent:<12} answered by {answered}", markup=False, style="dim"
            )
        self.console.print(f"    {took:.1f} s", style="dim", markup=False)

    async def _shadow_finds_a_bug(self) -> None:
        async def do() -> None:
            await self.migration.seed_bug(BUG)
            try:
                await self.migration.move("catalog", "shadow")
                self._name(await self._until(self._first_mismatch, "the comparison has found nothing"))
                await self._refused()
            finally:
                await self.migration.seed_bug(None)
            await self.migration.move("catalog", "legacy")

        await self._act("Shadow, with a bug in the adapter that nobody has noticed yet", do, watch=False)

    def _name(self, sample: Any) -> None:
        self.console.print(f"    found: {sample['path']}", style="yellow", markup=False)
        for difference in sample["differences"][:3]:
            self.console.print(
                f"      {difference['class']} at {difference['path']}: "
                f"old {difference['legacy']!r}, new {difference['modern']!r}",
                style="yellow",
                markup=False,
            )

    async def _refused(self) -> None:
        try:
            await self.migration.move("catalog", "canary", percent=10)
        except RefusedMove as refused:
            self.console.print(f"    refused to go on: {refused}", style="yellow", markup=False)
        else:
            raise RunError("a capability with mismatches was let into canary")

    async def _first_mismatch(self) -> Any:
        found = await self.migration.mismatches("catalog")
        return found[0] if found else None

    async def _compare(self, capability: str) -> None:
        await self.migration.move(capability, "shadow")

        async def enough() -> Any:
            found = (await self.migration.status())[capability]
            return found if found["compared"] >= COMPARISONS else None

        found = await self._until(enough, f"fewer than {COMPARISONS} comparisons of {capability}")
        rate = found["match_rate"]
        self.console.print(f"    {found['compared']} compared, {100 * rate:.2f} % equal", markup=False)

    def _canary(self, percent: int) -> Callable[[], Awaitable[None]]:
        return lambda: self._promote("catalog", "canary", percent)

    def _move(self, capability: str, to: str) -> Callable[[], Awaitable[None]]:
        return lambda: self._promote(capability, to)

    async def _cut_over(self) -> None:
        await self._promote("orders", "cutover")
        if (stage := (await self.migration.status())["orders"]["stage"]) != "modern":
            raise RunError(f"after the cut-over orders are at {stage}", "make migration")

    async def _retire(self) -> None:
        await self._promote("catalog", "retired")
        await self._promote("orders", "retired")

    async def _promote(self, capability: str, to: str, percent: int | None = None) -> None:
        """As soon as the guard lets it; the way back of orders begins their comparison anew."""
        why = ""

        async def moved() -> Any:
            nonlocal why
            try:
                await self.migration.move(capability, to, percent=percent)
            except RefusedMove as refused:
                why = str(refused)
                return None
            return True

        try:
            await self._until(moved, f"{capability} is not let into {to}")
        except RunError as error:
            raise RunError(f"{error}: {why}", error.advice) from error

    async def _until(self, look: Callable[[], Awaitable[Any]], otherwise: str, seconds: float = PATIENCE) -> Any:
        limit = time.monotonic() + seconds
        while (found := await look()) is None:
            if time.monotonic() > limit:
                raise RunError(f"{otherwise} after {seconds:.0f} s", "make migration; make logs SERVICE=facade")
            await asyncio.sleep(0.5)
        return found
