"""What JetStream itself says of consumers: how far one has come, and what still waits for another."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

import nats.errors
import nats.js.errors
from nats.js import JetStreamContext
from nats.js.api import ConsumerInfo

from chassis.bus import Bus, BusUnavailable

TIME_LIMIT = 2.0


class ConsumerMissing(Exception):
    """The stream has no consumer of this name: its service has never run."""


@dataclass(frozen=True)
class Waiting:
    """What a consumer has not handled: how many messages, and the age of the oldest in seconds."""

    pending: int
    lag: float


class Progress:
    """Asks each time; nothing here is remembered, so every replica gives the same answer."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    async def goal(self, consumer: str, subjects: Iterable[str]) -> int:
        """The place in the stream of the newest message under one of `subjects` that the consumer listens to, or 0.

        Not simply the newest message of all: a consumer that does not hear it would never come that far.
        """
        async with self._asking() as jetstream:
            heard = set(_filters(await _info(jetstream, self._bus.stream, consumer)))
            places = [await _last(jetstream, self._bus.stream, each) for each in sorted(heard.intersection(subjects))]
        return max(places, default=0)

    async def reached(self, consumer: str) -> int:
        """The place up to which the consumer has acknowledged everything."""
        async with self._asking() as jetstream:
            return _floor(await _info(jetstream, self._bus.stream, consumer))

    async def waiting(self, consumer: str) -> Waiting:
        """What the consumer still has before it."""
        async with self._asking() as jetstream:
            info = await _info(jetstream, self._bus.stream, consumer)
            pending = (info.num_pending or 0) + (info.num_ack_pending or 0)
            if not pending:
                return Waiting(0, 0)
            first = [await _next(jetstream, self._bus.stream, each, _floor(info) + 1) for each in _filters(info)]
        oldest = min((time for time in first if time is not None), default=None)
        return Waiting(pending, 0 if oldest is None else max(0.0, (datetime.now(UTC) - oldest).total_seconds()))

    @asynccontextmanager
    async def _asking(self) -> AsyncIterator[JetStreamContext]:
        try:
            async with asyncio.timeout(TIME_LIMIT):
                yield await self._bus.jetstream()
        except nats.js.errors.NotFoundError as error:
            raise ConsumerMissing(str(error)) from error
        except (nats.errors.Error, nats.js.errors.Error, TimeoutError, OSError) as error:
            raise BusUnavailable(f"NATS does not answer: {error!r}") from error


async def _info(jetstream: JetStreamContext, stream: str, consumer: str) -> ConsumerInfo:
    info: ConsumerInfo = await jetstream.consumer_info(stream, consumer)
    return info


def _filters(info: ConsumerInfo) -> list[str]:
    config = info.config
    return config.filter_subjects or ([config.filter_subject] if config.filter_subject else [])


def _floor(info: ConsumerInfo) -> int:
    return info.ack_floor.stream_seq if info.ack_floor else 0


async def _last(jetstream: JetStreamContext, stream: str, subject: str) -> int:
    try:
        return (await jetstream.get_last_msg(stream, subject)).seq or 0
    except nats.js.errors.NotFoundError:
        return 0


async def _next(jetstream: JetStreamContext, stream: str, subject: str, place: int) -> datetime | None:
    try:
        return (await jetstream.get_msg(stream, place, subject, next=True)).time
    except nats.js.errors.NotFoundError:
        return None
