"""Periodic work goes on after failures, and ends between two runs."""

import asyncio

from sample.waiting import until

from chassis.errors import DependencyUnavailable
from chassis.periodic import Periodic


async def test_it_repeats_and_outlives_failures() -> None:
    outcomes = iter([DependencyUnavailable("gone"), LookupError("a bug"), None, None])
    runs = 0

    async def act() -> None:
        nonlocal runs
        runs += 1
        if (error := next(outcomes, None)) is not None:
            raise error

    part = Periodic("sweeper", 0.01, act)
    await part.start()
    await until(lambda: runs >= 4)
    assert part.alive
    await part.stop()
    ended = runs
    assert part.alive, "stopped is not ended by itself"
    await asyncio.sleep(0.05)
    assert runs == ended


async def test_stopping_waits_for_the_run_at_hand() -> None:
    begun, ended = asyncio.Event(), False

    async def act() -> None:
        nonlocal ended
        begun.set()
        await asyncio.sleep(0.1)
        ended = True

    part = Periodic("sweeper", 0.01, act)
    await part.start()
    await begun.wait()
    await part.stop()
    assert ended
