"""What waits on the bus is told per consumer and stream, and is not told while nobody knows."""

import asyncio

from prometheus_client import REGISTRY
from sample.waiting import until

from chassis.backlog import Backlog
from chassis.bus import Bus
from chassis.consumer import Consumer, Retry
from chassis.messages import Message


def told(name: str, **labels: str) -> float | None:
    return REGISTRY.get_sample_value(name, labels)


async def publish(bus: Bus, subject: str, count: int) -> None:
    for number in range(count):
        message = Message.new(subject, f"a{number}", 1, {})
        await bus.publish(subject, str(message.id), message.encode())


async def test_a_consumer_that_is_stuck_shows_its_lag(bus: Bus, namespace: str) -> None:
    subject, let_go = f"{namespace}.sample.noted.v1", asyncio.Event()

    async def stuck(message: Message) -> None:
        await let_go.wait()
        raise Retry(0.1, "not yet")

    await publish(bus, subject, 50)
    consumer, backlog = Consumer(bus, "slow", {subject: stuck}), Backlog(bus, "slow")
    await consumer.start()

    async def measured(name: str, expected: float) -> bool:
        await backlog.measure()
        return told(name, consumer="slow") == expected

    await until(lambda: measured("consumer_ack_pending_messages", 32))
    assert told("consumer_pending_messages", consumer="slow") == 18
    assert told("jetstream_stream_messages", stream=bus.stream) == 50
    assert (told("jetstream_stream_bytes", stream=bus.stream) or 0) > 50 * 100
    assert told("jetstream_stream_messages", stream=bus.dead_stream) == 0
    let_go.set()
    await until(lambda: measured("consumer_redelivered_messages", 50))
    await consumer.stop()


async def test_a_running_consumer_measures_itself(bus: Bus, namespace: str) -> None:
    async def handle(_: Message) -> None: ...

    consumer = Consumer(bus, "measured", {f"{namespace}.sample.noted.v1": handle})
    await consumer.start()
    await until(lambda: told("consumer_pending_messages", consumer="measured") == 0, seconds=15)
    await consumer.stop()


async def test_while_nats_does_not_answer_there_is_no_old_number(bus: Bus, namespace: str) -> None:
    async def handle(_: Message) -> None: ...

    consumer, backlog = Consumer(bus, "reader", {f"{namespace}.sample.noted.v1": handle}), Backlog(bus, "reader")
    await consumer.start()

    async def measured() -> bool:
        await backlog.measure()
        return told("consumer_pending_messages", consumer="reader") is not None

    await until(measured)
    await consumer.stop()
    await bus.stop()
    await backlog.measure()
    assert told("jetstream_stream_messages", stream=bus.stream) is None
    assert told("consumer_pending_messages", consumer="reader") is None
