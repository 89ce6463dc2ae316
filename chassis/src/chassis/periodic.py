"""Work that repeats: a part of the process that runs an action every few seconds and outlives its failures."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from chassis.errors import DependencyUnavailable

log = structlog.get_logger(__name__)
# Of a run that is to finish. It takes milliseconds, unless the database is silent, and then it is only rolled back.
STOP_SECONDS = 2.0


class Periodic:
    """Runs `action` every `seconds`, first after one such pause. Replicas all run it: the action must allow that.

    A stop lets a run `finish`, for two seconds; one that only measures, or cleans up, it interrupts at once.
    """

    def __init__(
        self, name: str, seconds: float, action: Callable[[], Awaitable[object]], *, finish: bool = True
    ) -> None:
        self.name = name
        self._finish = finish
        self._put_off = False
        self._seconds = seconds
        self._action = action
        self._task: asyncio.Task[None] | None = None
        self._stopping = asyncio.Event()

    @property
    def alive(self) -> bool:
        """False when the task has ended although nobody stopped it."""
        return self._task is None or self._stopping.is_set() or not self._task.done()

    async def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name=self.name)

    async def stop(self) -> None:
        """Let the run at work finish or interrupt it, begin no other."""
        self._stopping.set()
        if self._task is None:
            return
        if self._finish:
            await asyncio.wait([self._task], timeout=STOP_SECONDS)
        self._task.cancel()
        await asyncio.wait([self._task])

    async def _run(self) -> None:
        while not await self._stopped_within(self._seconds):
            await self._run_once()

    async def _run_once(self) -> None:
        try:
            await self._action()
        except DependencyUnavailable as error:
            # One line a change: an absence is told by whom it concerns, and this would be the same every few seconds.
            if not self._put_off:
                log.warning("periodic.put-off", name=self.name, reason=str(error))
            self._put_off = True
            return
        except Exception:
            log.exception("periodic.failed", name=self.name)
        else:
            if self._put_off:
                log.info("periodic.resumed", name=self.name)
        self._put_off = False

    async def _stopped_within(self, seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
        except TimeoutError:
            return False
        return True
