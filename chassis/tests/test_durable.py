"""Two releases on one durable consumer: the older one takes nothing away from the newer one, and loses nothing."""

import contextlib
from collections.abc import AsyncIterator

import pytest
from prometheus_client import REGISTRY
from sample.waiting import until

from chassis.bus import Bus
from chassis.consumer import Consumer, Handler
from chassis.durable import subjects
from chassis.messages import Message


class Heard:
    """Notes what was handled, by the text of the message."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    async def __call__(self, message: Message) -> None:
        self.texts.append(str(message.data["text"]))


@pytest.fixture
def old_subject(namespace: str) -> str:
    """Both releases handle it."""
    return f"{namespace}.sample.noted.v1"


@pytest.fixture
def new_subject(namespace: str) -> str:
    """The newer release alone handles it."""
    return f"{namespace}.sample.noted.v2"


@contextlib.asynccontextmanager
async def _release(bus: Bus, handlers: dict[str, Handler]) -> AsyncIterator[Consumer]:
    consumer = Consumer(bus, "reader", handlers)
    await consumer.start()
    await until(lambda: _hears(bus, set(handlers)))
    yield consumer
    await consumer.stop()


async def _filter(bus: Bus) -> frozenset[str]:
    return subjects((await (await bus.jetstream()).consumer_info(bus.stream, "reader")).config)


async def _hears(bus: Bus, wanted: set[str]) -> bool:
    try:
        return wanted <= await _filter(bus)
    except Exception:  # not made yet
        return False


async def _publish(bus: Bus, subject: str, text: str) -> None:
    message = Message.new(subject, text, 1, {"text": text})
    await bus.publish(subject, str(message.id), message.encode())


async def _owed(bus: Bus) -> int:
    info = await (await bus.jetstream()).consumer_info(bus.stream, "reader")
    return (info.num_pending or 0) + (info.num_ack_pending or 0)


def _put_off(subject: str) -> float:
    return REGISTRY.get_sample_value("inbox_messages_total", {"type": subject, "outcome": "put-off"}) or 0


async def test_an_old_replica_that_connects_takes_no_message_from_the_new_one(
    bus: Bus, old_subject: str, new_subject: str
) -> None:
    heard, old = Heard(), Heard()
    async with _release(bus, {old_subject: heard, new_subject: heard}), _release(bus, {old_subject: old}):
        for number in range(50):
            await _publish(bus, new_subject, f"new {number}")
            await _publish(bus, old_subject, f"old {number}")
        await until(lambda: len(heard.texts) + len(old.texts) == 100, seconds=30)
        assert await _filter(bus) == {old_subject, new_subject}
    assert sorted(text for text in heard.texts if text.startswith("new")) == sorted(f"new {n}" for n in range(50))
    assert not [text for text in old.texts if text.startswith("new")]


async def test_what_only_a_newer_release_handles_waits_for_it(bus: Bus, old_subject: str, new_subject: str) -> None:
    heard = Heard()
    async with _release(bus, {old_subject: heard, new_subject: heard}):
        pass  # taken back
    async with _release(bus, {old_subject: heard}):
        await _publish(bus, new_subject, "for later")
        await until(lambda: _put_off(new_subject) > 0)
        assert heard.texts == []
        assert await _owed(bus) == 1
    async with _release(bus, {old_subject: heard, new_subject: heard}):
        await until(lambda: heard.texts == ["for later"])
        await until(lambda: _settled(bus))
    state = (await (await bus.jetstream()).stream_info(bus.dead_stream)).state
    assert state.messages == 0, "it is nobody's failure"


async def _settled(bus: Bus) -> bool:
    return await _owed(bus) == 0


async def test_a_durable_that_somebody_narrows_is_widened_again(bus: Bus, old_subject: str, new_subject: str) -> None:
    heard = Heard()
    async with _release(bus, {old_subject: heard, new_subject: heard}):
        jetstream = await bus.jetstream()
        config = (await jetstream.consumer_info(bus.stream, "reader")).config
        await jetstream.add_consumer(bus.stream, config, filter_subjects=[old_subject])
        await until(lambda: _hears(bus, {new_subject}))
        await _publish(bus, new_subject, "after")
        await until(lambda: heard.texts == ["after"])


async def test_a_deleted_durable_comes_back_with_what_is_handled_now(
    bus: Bus, old_subject: str, new_subject: str
) -> None:
    """How a subject is given up: on purpose. The inbox knows what is delivered once more."""
    heard = Heard()
    async with _release(bus, {old_subject: heard, new_subject: heard}):
        pass
    async with _release(bus, {old_subject: heard}):
        assert await _filter(bus) == {old_subject, new_subject}
        await (await bus.jetstream()).delete_consumer(bus.stream, "reader")
        await until(lambda: _hears(bus, {old_subject}))
        assert await _filter(bus) == {old_subject}
