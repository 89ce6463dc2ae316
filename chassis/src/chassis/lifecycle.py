"""Start and stop, once for all services.

Start: telemetry, database, bus, clients, consumers, relay, then ready; none of them waits for anything outside.
Stop: not ready, one probe period (balancers must notice before the door closes), stop consuming, finish what is in
flight, close in reverse, telemetry last.
"""

import asyncio
import contextlib
import gc
import math
import signal
import socket
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from typing import Any, Protocol, cast, runtime_checkable

import structlog
import uvicorn

from chassis import logs
from chassis.settings import ServiceSettings

log = structlog.get_logger(__name__)

# How long a client of ours keeps a connection that it does not use. A server closes idle connections at the end of its
# drain, and a request that is just then on its way is lost, with no way to know whether it took effect. Shorter than a
# drain (one second) there is no such request: who used the connection during the drain was told to close it, and who
# did not has let go of it by then. The half second between is for a client that is slow to read its answer.
CLIENT_IDLE_SECONDS = 0.5
NEWCOMER_SECONDS = 0.1


class Part(Protocol):
    """Something that runs as long as the process. `start` must not wait for a dependency."""

    @property
    def name(self) -> str: ...
    async def start(self) -> None: ...
    async def stop(self) -> None: ...


@runtime_checkable
class Watched(Protocol):
    """A part with a task of its own, which could end while nobody looks."""

    @property
    def alive(self) -> bool: ...


class Lifecycle:
    """The parts of a process in the order of their start. `consuming` are those that bring in new work."""

    def __init__(self, parts: Sequence[Part], consuming: Sequence[Part] = ()) -> None:
        self._parts = list(parts)
        self._consuming = list(consuming)
        self._running: list[Part] = []
        self.draining = False

    async def start(self) -> None:
        for part in self._parts:
            await part.start()
            self._running.append(part)
        log.info("lifecycle.started", parts=[part.name for part in self._running])

    async def drain(self, probe_period: float) -> None:
        """Report not ready for one probe period, then bring in no more work; returns when the work at hand is done."""
        self.draining = True
        log.info("lifecycle.draining", seconds=probe_period)
        await asyncio.sleep(probe_period)
        for part in self._consuming:
            await self._stop(part)

    async def stop(self) -> None:
        """Close in reverse; one failing close is logged and the rest still close."""
        self.draining = True
        for part in reversed(list(self._running)):
            await self._stop(part)
        log.info("lifecycle.stopped")

    def dead(self) -> list[str]:
        """Names of running parts whose own task has ended."""
        return [part.name for part in self._running if isinstance(part, Watched) and not part.alive]

    async def _stop(self, part: Part) -> None:
        if part not in self._running:
            return
        self._running.remove(part)
        try:
            await part.stop()
        except Exception:
            log.exception("lifecycle.close-failed", part=part.name)

    @contextlib.asynccontextmanager
    async def lifespan(self, _: Any) -> AsyncIterator[None]:
        """For FastAPI's `lifespan`."""
        try:
            await self.start()
            yield
        finally:
            await self.stop()


async def close_door(listener: asyncio.Server, protocol: Callable[[], asyncio.Protocol]) -> None:
    """Accept no more connections, but those that are made already: the system resets what is in a queue it closes.

    Returns when they have had time for their first request, so that idle connections can be closed after it.
    """
    accepted = [connection for each in listener.sockets for connection in _queue(each.fileno())]
    listener.close()
    loop = asyncio.get_running_loop()
    for connection in accepted:
        connection.setblocking(False)
        await loop.connect_accepted_socket(protocol, connection)
    await asyncio.sleep(NEWCOMER_SECONDS)


def _queue(listening: int) -> Iterator[socket.socket]:
    """Accepts what waits at a descriptor, which stays the listener's: of none to spare, there would be none for a copy.

    Then not everybody can be let in either; who was let in is still to be served.
    """
    door = socket.socket(fileno=listening)
    try:
        door.setblocking(False)
        with contextlib.suppress(OSError):  # nobody waits, or no descriptor is left
            while True:
                yield door.accept()[0]
    finally:
        door.detach()


class _Server(uvicorn.Server):
    """Uvicorn with this project's order of stopping instead of its own, which closes the door first."""

    def __init__(self, config: uvicorn.Config, lifecycle: Lifecycle, probe_period: float) -> None:
        super().__init__(config)
        self._lifecycle = lifecycle
        self._probe_period = probe_period
        self._drain: asyncio.Task[None] | None = None

    @contextlib.contextmanager
    def capture_signals(self) -> Any:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop_soon)
        yield

    def _stop_soon(self) -> None:
        if self._drain is None:
            self._drain = asyncio.create_task(self._drain_and_exit())

    async def _drain_and_exit(self) -> None:
        await self._lifecycle.drain(self._probe_period)
        self.should_exit = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for listener in self.servers:
            await close_door(listener, self._protocol)
        await super().shutdown(sockets)

    def _protocol(self) -> asyncio.Protocol:
        protocol: type[Any] = self.config.http_protocol_class
        return cast("asyncio.Protocol", protocol(self.config, self.server_state, self.lifespan.state))


def serve(create_app: Callable[[], tuple[Any, Lifecycle]], settings: ServiceSettings) -> None:
    """Run the application until SIGTERM or SIGINT, then drain and return: the process exits 0."""
    logs.configure(settings)
    app, lifecycle = create_app()
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        http="httptools",  # with h11 uvicorn answers both halves of a smuggled request
        loop="uvloop",
        lifespan="on",
        log_config=None,
        access_log=False,
        proxy_headers=False,  # trusting 127.0.0.1 is wrong behind a sidecar
        server_header=False,
        timeout_keep_alive=5,
        timeout_graceful_shutdown=math.ceil(settings.grace_seconds),
        limit_concurrency=1000,
        backlog=512,
    )
    server = _Server(config, lifecycle, settings.drain_seconds)
    # What exists by now stays: otherwise each full collection walks through every module again, a tenth of a request.
    gc.collect()
    gc.freeze()
    server.run()
