"""Work that repeats: a part of the process that runs an action every few seconds and outlives its failures."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from chassis.errors import DependencyUnavailable

log = structlog.get_logger(__name__)


class Periodic:
    """Runs `action` every `seconds`, first after one such pause. Replicas all run it: the action must allow that."""

    def __init__(self, name: str, seconds: float, action: Callable[[], Awaitable[object]]) -> None:
        self.name = name
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
        """Wait for a run at work, begin no other."""
        self._stopping.set()
        if self._task is not None:
            await self._task

    async def _run(self) -> None:
        while not await self._stopped_within(self._seconds):
            try:
                await self._action()
            except DependencyUnavailable as error:
                log.warning("periodic.put-off", name=self.name, reason=str(error))
            except Exception:
                log.exception("periodic.failed", name=self.name)

    async def _stopped_within(self, seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
        except TimeoutError:
            return False
        return True
