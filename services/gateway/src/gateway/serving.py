"""Runs the gateway until SIGTERM or SIGINT: not ready, one probe period, no new connections, finish, close, exit 0."""

import asyncio
import signal
import sys
from collections.abc import Callable

import uvloop

from chassis import logs
from chassis.lifecycle import Lifecycle
from gateway.server import Server
from gateway.settings import Settings


def run(settings: Settings, create: Callable[[Settings], tuple[Server, Lifecycle]]) -> None:
    """Serve; returns when the process has drained."""
    logs.configure(settings)
    uvloop.run(_serve(settings, create))


async def _serve(settings: Settings, create: Callable[[Settings], tuple[Server, Lifecycle]]) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    _, lifecycle = create(settings)
    try:
        await lifecycle.start()
    except OSError as error:
        await lifecycle.stop()
        where = f"{settings.host}:{settings.port}"
        sys.stderr.write(f"cannot listen on {where}: {error.strerror}; stop what uses it, or set PORT\n")
        raise SystemExit(1) from error
    await stop.wait()
    await lifecycle.drain(settings.drain_seconds)
    await lifecycle.stop()
