"""The first key and the operator: made at the start, as soon as the database is there and migrated."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from identity.application import Accounts, SigningKeys
from identity.settings import Settings

log = structlog.get_logger(__name__)


async def first_things(keys: SigningKeys, accounts: Accounts, settings: Settings) -> None:
    """What has to be there before anybody can be served."""
    await keys.rotate_if_due(settings.rotate_after)
    await accounts.ensure_operator(settings.operator_email, settings.operator_password.get_secret_value())


class Bootstrap:
    """Runs `action` until it has succeeded once. Replicas all do: the action must allow that."""

    name = "bootstrap"

    def __init__(self, action: Callable[[], Awaitable[None]], pause: float = 0.5) -> None:
        self._action = action
        self._pause = pause
        self._task: asyncio.Task[None] | None = None
        self.done = False

    @property
    def alive(self) -> bool:
        """False when the task ended before the work was done."""
        return self._task is None or self.done or not self._task.done()

    async def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name=self.name)

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def bootstrapped(self) -> str | None:
        """A check of `/readyz`: before the operator exists its login would be refused as wrong."""
        return None if self.done else "the first key and the operator are not made yet"

    async def _run(self) -> None:
        reported = ""
        while not self.done:
            try:
                await self._action()
                self.done = True
            except Exception as error:
                # An empty or absent database is no fault at the start. Said once, and by its class: the text of an
                # error may repeat what was to be stored.
                if reported != (reported := type(error).__name__):
                    log.warning("bootstrap.put-off", reason=reported)
                await asyncio.sleep(self._pause)
        log.info("bootstrap.done")
