"""What waits on the bus: the lag of a consumer, and how full the streams are, as JetStream itself counts.

Asked every few seconds and not derived from what is delivered: a consumer that is stuck, or deleted, delivers nothing.
"""

import asyncio

import nats.errors
import nats.js.errors
from nats.js import JetStreamContext
from prometheus_client import Gauge

from chassis.bus import Bus

PENDING = Gauge("consumer_pending_messages", "Messages not yet delivered to the consumer", ["consumer"])
ACK_PENDING = Gauge("consumer_ack_pending_messages", "Messages delivered and not acknowledged", ["consumer"])
REDELIVERED = Gauge("consumer_redelivered_messages", "Of these, delivered more than once", ["consumer"])
MESSAGES = Gauge("jetstream_stream_messages", "Messages in the stream", ["stream"])
BYTES = Gauge("jetstream_stream_bytes", "Bytes of the stream", ["stream"])
_ALL = (PENDING, ACK_PENDING, REDELIVERED, MESSAGES, BYTES)

SECONDS = 5.0
TIME_LIMIT = 2.0


class Backlog:
    """Of one consumer, its stream and the stream of dead letters. Every replica tells the same: the maximum counts."""

    def __init__(self, bus: Bus, consumer: str) -> None:
        self._bus = bus
        self._consumer = consumer

    async def measure(self) -> None:
        """Ask; while nobody answers there is no number rather than an old one."""
        try:
            async with asyncio.timeout(TIME_LIMIT):
                jetstream = await self._bus.jetstream()
                await self._measure_consumer(jetstream)
                for stream in (self._bus.stream, self._bus.dead_stream):
                    await _measure_stream(jetstream, stream)
        except (nats.errors.Error, nats.js.errors.Error, OSError):
            for gauge in _ALL:
                gauge.clear()

    async def _measure_consumer(self, jetstream: JetStreamContext) -> None:
        told = await jetstream.consumer_info(self._bus.stream, self._consumer)
        PENDING.labels(self._consumer).set(told.num_pending or 0)
        ACK_PENDING.labels(self._consumer).set(told.num_ack_pending or 0)
        REDELIVERED.labels(self._consumer).set(told.num_redelivered or 0)


async def _measure_stream(jetstream: JetStreamContext, stream: str) -> None:
    state = (await jetstream.stream_info(stream)).state
    MESSAGES.labels(stream).set(state.messages)
    BYTES.labels(stream).set(state.bytes)
