"""What is on the stream and in the dead letters, and how far each durable consumer has come. Acknowledges nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

import nats.errors
import orjson
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy
from nats.js.errors import NotFoundError

from tests.invariants.access import Access, Unreachable

BATCH = 1000
MESSAGE_ID = "Nats-Msg-Id"


@dataclass(frozen=True)
class Published:
    """A message on the stream; `producer` is the second word of its subject."""

    sequence: int
    message_id: UUID
    subject: str
    at: datetime

    @property
    def producer(self) -> str:
        return self.subject.split(".")[1]

    @property
    def name(self) -> str:
        """The subject without its namespace."""
        return self.subject.split(".", 1)[1]


@dataclass(frozen=True)
class DeadLetter:
    subject: str
    consumer: str
    error: str


@dataclass(frozen=True)
class Durable:
    """A consumer that outlives its process, named after its service."""

    name: str
    subjects: frozenset[str]
    acknowledged: int
    pending: int
    unacknowledged: int
    redelivered: int


@dataclass(frozen=True)
class Stream:
    """`max_age` in seconds, 0 for ever."""

    messages: Sequence[Published]
    dead: Sequence[DeadLetter]
    consumers: Mapping[str, Durable]
    max_age: float


async def read_stream(access: Access) -> Stream:
    """Everything at once; a stream that was never made is empty. Raises `Unreachable`."""
    bus = await access.bus()
    try:
        jetstream = bus.jetstream(timeout=10)
        consumers = await _consumers(jetstream, access.stream)
        published = await _messages(bus, access.stream)
        messages = [await _published(jetstream, access.stream, message) for message in published]
        dead = [_dead_letter(message) for message in await _messages(bus, access.dead_stream)]
        return Stream(messages, dead, consumers, await _max_age(jetstream, access.stream))
    except (nats.errors.Error, TimeoutError) as error:
        raise Unreachable(f"JetStream at {access.nats} does not answer: {error!r}") from error
    finally:
        await bus.close()


async def read_consumers(access: Access) -> Mapping[str, Durable]:
    """How far the durable consumers have come. Raises `Unreachable`."""
    bus = await access.bus()
    try:
        return await _consumers(bus.jetstream(timeout=10), access.stream)
    except (nats.errors.Error, TimeoutError) as error:
        raise Unreachable(f"JetStream at {access.nats} does not answer: {error!r}") from error
    finally:
        await bus.close()


async def _consumers(jetstream: JetStreamContext, stream: str) -> dict[str, Durable]:
    try:
        infos = await jetstream.consumers_info(stream)
    except NotFoundError:
        return {}
    return {
        info.config.durable_name: Durable(
            info.config.durable_name,
            frozenset(
                info.config.filter_subjects or ([info.config.filter_subject] if info.config.filter_subject else [])
            ),
            (info.ack_floor.stream_seq if info.ack_floor else 0) or 0,
            info.num_pending or 0,
            info.num_ack_pending or 0,
            info.num_redelivered or 0,
        )
        for info in infos
        if info.config.durable_name
    }


async def _messages(bus: Client, stream: str) -> list[Msg]:
    """The headers of all messages, read through a consumer that leaves no trace."""
    jetstream = bus.jetstream(timeout=10)
    try:
        waiting = (await jetstream.stream_info(stream)).state.messages
    except NotFoundError:
        return []
    config = ConsumerConfig(
        ack_policy=AckPolicy.NONE, deliver_policy=DeliverPolicy.ALL, headers_only=True, inactive_threshold=30
    )
    reader = await jetstream.pull_subscribe("", stream=stream, config=config)
    found: list[Msg] = []
    while len(found) < waiting:
        found += await reader.fetch(min(BATCH, waiting - len(found)), timeout=10)
    await reader.unsubscribe()
    return found


async def _published(jetstream: JetStreamContext, stream: str, message: Msg) -> Published:
    metadata = message.metadata
    name = (message.headers or {}).get(MESSAGE_ID, "")
    try:
        message_id = UUID(name)
    except ValueError:
        # A replayed dead letter was published under another name; its own id is in the envelope.
        body = (await jetstream.get_msg(stream, metadata.sequence.stream)).data
        message_id = UUID(orjson.loads(body or b"")["id"])
    return Published(metadata.sequence.stream, message_id, message.subject, metadata.timestamp.astimezone(UTC))


def _dead_letter(message: Msg) -> DeadLetter:
    headers = message.headers or {}
    return DeadLetter(
        headers.get("Dead-Subject", message.subject), headers.get("Dead-Consumer", "?"), headers.get("Dead-Error", "?")
    )


async def _max_age(jetstream: JetStreamContext, stream: str) -> float:
    try:
        return float((await jetstream.stream_info(stream)).config.max_age or 0)
    except NotFoundError:
        return 0.0
