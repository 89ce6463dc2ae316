"""The connection to NATS JetStream, its streams, and publishing. The only file that connects.

One stream holds `<namespace>.>`, a second one the dead letters `dead.<namespace>.>`. Both refuse new messages when they
are full: dropping old ones would lose acknowledged messages in silence, a refused one waits in its outbox.
"""

import asyncio
import contextlib
from typing import Any

import nats
import structlog
from nats.aio.client import Client
from nats.js import JetStreamContext
from nats.js.api import DiscardPolicy, RetentionPolicy, StorageType, StreamConfig
from nats.js.errors import NotFoundError
from prometheus_client import Gauge

from chassis.errors import DependencyUnavailable
from chassis.settings import BusSettings

log = structlog.get_logger(__name__)
CONNECTED = Gauge("bus_connected", "1 while connected to NATS")

MAX_AGE = 3 * 86_400.0
MAX_BYTES = 1024**3
DUPLICATE_WINDOW = 120.0
PUBLISH_TIMEOUT = 5.0
FLUSH_SECONDS = 1


class BusUnavailable(DependencyUnavailable):
    """NATS does not answer: whether the message was stored is not known. Publish it again with the same id."""


class Bus:
    """Connects in the background, for as long as it takes, and again after each loss."""

    name = "bus"

    def __init__(self, settings: BusSettings, client_name: str) -> None:
        self._settings = settings
        self._client_name = client_name
        self._client = Client()
        self._connected = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.stream = settings.namespace.upper()
        self.dead_stream = f"{self.stream}_DEAD"

    @property
    def alive(self) -> bool:
        """False when there is no connection and nobody tries to make one."""
        return self._task is None or not self._task.done() or self._connected.is_set()

    async def start(self) -> None:
        self._task = asyncio.create_task(self._connect(), name="bus")

    async def stop(self) -> None:
        self._connected.clear()
        if self._task is not None:
            self._task.cancel()
        if self._client.is_connected:
            with contextlib.suppress(Exception):
                await self._client.flush(timeout=FLUSH_SECONDS)  # acknowledgements are fire and forget: let them leave
        with contextlib.suppress(AssertionError):  # a client that never connected
            await self._client.close()

    async def jetstream(self) -> JetStreamContext:
        """JetStream, as soon as there is a connection and the streams exist."""
        await self._connected.wait()
        return self._client.jetstream(timeout=PUBLISH_TIMEOUT)

    async def publish(self, subject: str, message_id: str, payload: bytes) -> None:
        """Store one message; returns when JetStream has acknowledged it. Raises `BusUnavailable`."""
        await self.publish_to(self.stream, subject, message_id, payload)

    async def publish_to(
        self,
        stream: str,
        subject: str,
        message_id: str,
        payload: bytes,
        headers: dict[str, str] | None = None,
    ) -> None:
        """As `publish`, into the given stream and with further headers."""
        if not self._connected.is_set() or not self._client.is_connected:
            raise BusUnavailable("NATS is not connected")
        try:
            jetstream = self._client.jetstream(timeout=PUBLISH_TIMEOUT)
            await jetstream.publish(
                subject, payload, stream=stream, headers={"Nats-Msg-Id": message_id, **(headers or {})}
            )
        except nats.js.errors.NoStreamResponseError as error:
            with contextlib.suppress(nats.errors.Error, nats.js.errors.Error, TimeoutError, OSError):
                await self._ensure_streams()
            raise BusUnavailable("the stream was missing; it is being made again") from error
        except (nats.errors.Error, TimeoutError, OSError) as error:
            raise BusUnavailable(f"NATS did not store the message: {error!r}") from error

    async def _connect(self) -> None:
        while True:
            try:
                await self._client.connect(self._settings.nats_url, **self._options())
                await self._ensure_streams()
                break
            except (nats.errors.Error, nats.js.errors.Error, TimeoutError, OSError) as error:
                log.warning("bus.waiting", reason=repr(error))
                with contextlib.suppress(Exception):
                    await self._client.close()
                self._client = Client()
                await asyncio.sleep(0.5)
        self._connected.set()
        CONNECTED.set(1)
        log.info("bus.connected", url=self._settings.nats_url)

    def _options(self) -> dict[str, Any]:
        settings = self._settings

        async def on_disconnect() -> None:
            CONNECTED.set(0)

        async def on_reconnect() -> None:
            CONNECTED.set(1)
            log.info("bus.reconnected")

        async def on_closed() -> None:
            # nats-py closes for good at almost every error that a server reports, as when its credentials expire.
            if self._connected.is_set():
                log.warning("bus.closed", reason=repr(self._client.last_error))
                CONNECTED.set(0)
                self._connected.clear()
                self._client = Client()
                await self.start()

        async def on_error(error: Exception) -> None:
            log.warning("bus.error", reason=repr(error))

        return {
            "name": self._client_name,
            "user": settings.nats_user,
            # Asked at each connection, reconnections included: it may have been rotated since the last one.
            "password": (lambda: settings.now("nats_password")) if settings.nats_password else None,
            "inbox_prefix": f"_INBOX.{settings.nats_user or self._client_name}",
            "max_reconnect_attempts": -1,  # the default gives up for good after sixty
            "reconnect_time_wait": 0.5,
            "ping_interval": 5,  # the default finds a dead peer after four minutes
            "connect_timeout": 2,
            "disconnected_cb": on_disconnect,
            "reconnected_cb": on_reconnect,
            "closed_cb": on_closed,
            "error_cb": on_error,
        }

    async def _ensure_streams(self) -> None:
        namespace = self._settings.namespace
        for name, subject in ((self.stream, f"{namespace}.>"), (self.dead_stream, f"dead.{namespace}.>")):
            await self._ensure_stream(name, subject)

    async def _ensure_stream(self, name: str, subject: str) -> None:
        jetstream = self._client.jetstream(timeout=PUBLISH_TIMEOUT)
        try:
            standing = (await jetstream.stream_info(name)).config
        except NotFoundError:
            await jetstream.add_stream(self._wanted(name, subject))
        else:
            await self._replicate(jetstream, standing)

    async def _replicate(self, jetstream: JetStreamContext, standing: StreamConfig) -> None:
        """More copies where fewer are; never fewer, for whoever was not told the number believes in one."""
        wanted, found = self._settings.stream_replicas, standing.num_replicas or 1
        if found >= wanted:
            return
        try:
            # Its consumers have as many as the stream.
            await jetstream.update_stream(standing, num_replicas=wanted)
        except nats.js.errors.APIError as error:
            # As while one server is away: what is there works, and the next connection tries again.
            log.warning("bus.not-replicated", stream=standing.name, replicas=found, wanted=wanted, reason=repr(error))
        else:
            log.info("bus.replicated", stream=standing.name, replicas=wanted)

    def _wanted(self, name: str, subject: str) -> StreamConfig:
        return StreamConfig(
            name=name,
            subjects=[subject],
            retention=RetentionPolicy.LIMITS,
            storage=StorageType.FILE,
            discard=DiscardPolicy.NEW,
            max_age=MAX_AGE,
            max_bytes=MAX_BYTES,
            duplicate_window=DUPLICATE_WINDOW,
            num_replicas=self._settings.stream_replicas,
        )
