"""Periodic work goes on after failures, and ends between two runs."""

import asyncio
import time

from sample.waiting import until
from structlog.testing import capture_logs

from chassis import periodic
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


async def run_without_end(*, finish: bool) -> float:
    """Seconds that a stop takes in the midst of a run that never ends."""
    begun, interrupted = asyncio.Event(), asyncio.Event()

    async def act() -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            interrupted.set()

    part = Periodic("sweeper", 0.01, act, finish=finish)
    await part.start()
    await begun.wait()
    stopped = time.monotonic()
    await asyncio.wait_for(part.stop(), periodic.STOP_SECONDS + 5)
    assert interrupted.is_set()
    return time.monotonic() - stopped


async def test_what_only_measures_is_interrupted() -> None:
    assert await run_without_end(finish=False) < periodic.STOP_SECONDS / 2


async def test_a_run_that_does_not_finish_is_not_waited_for_without_end() -> None:
    assert periodic.STOP_SECONDS <= await run_without_end(finish=True) < periodic.STOP_SECONDS + 2


async def test_an_absence_is_one_line_and_its_end_another() -> None:
    gone = DependencyUnavailable("gone")
    outcomes = iter([gone, gone, gone, None, None, gone])
    ended = asyncio.Event()

    async def act() -> None:
        if (error := next(outcomes, ended)) is ended:
            ended.set()
        elif isinstance(error, Exception):
            raise error

    part = Periodic("sweeper", 0.001, act)
    with capture_logs() as lines:
        await part.start()
        await ended.wait()
        await part.stop()
    told = [line["event"].removeprefix("periodic.") for line in lines]
    assert told == ["put-off", "resumed", "put-off", "resumed"]
