"""Consumer: hands the messages of a durable pull consumer to handlers, several at once, one aggregate in order.

A handler is idempotent (inbox). What it raises decides: `AlreadyHandled` and no error acknowledge; `Retry` and an
absent dependency put the message off, without end, for it is not the message's fault, and so does a subject that only
another release handles; anything else counts, and after `MAX_FAILURES` the message goes to the dead letters.

A message that was put off or failed may be overtaken by later ones of its aggregate: holding those back would let one
poisonous message stop its aggregate. Handlers compare versions or states, as they must with several replicas anyway.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping

import nats.errors
import structlog
from nats.aio.msg import Msg
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy
from opentelemetry.trace import SpanKind
from prometheus_client import Counter as Count

from chassis import backlog, deadlines, durable
from chassis.backlog import Backlog
from chassis.breaker import BreakerOpen
from chassis.bus import Bus
from chassis.deadlines import DeadlineExceeded
from chassis.errors import DependencyUnavailable
from chassis.inbox import AlreadyHandled
from chassis.messages import Message, MessageMalformed
from chassis.periodic import Periodic
from chassis.telemetry import extract, span

log = structlog.get_logger(__name__)
HANDLED = Count("inbox_messages_total", "Deliveries by outcome", ["type", "outcome"])

Handler = Callable[[Message], Awaitable[None]]
NOT_ITS_FAULT = (DependencyUnavailable, BreakerOpen, DeadlineExceeded)

MAX_FAILURES = 6
AT_ONCE = 32
ACK_WAIT = 30.0
HANDLER_TIMEOUT = 20.0  # below ACK_WAIT: a handler still at work must not meet its own redelivery
FETCH_TIMEOUT = 1.0  # also the longest that a stop waits for the fetch at hand


class Retry(Exception):
    """The handler cannot decide yet: deliver the message again after `delay` seconds."""

    def __init__(self, delay: float, reason: str) -> None:
        super().__init__(reason)
        self.delay = delay


class NoHandler(DependencyUnavailable):
    """The durable hears, for replicas of another release, what this one does not know. It must not be lost."""


def backoff(deliveries: int) -> float:
    """Seconds until the next delivery: 0.2, 0.4, 0.8 … 30, with a jitter of up to a half."""
    return min(30.0, 0.1 * 2.0**deliveries) * random.uniform(0.5, 1)  # noqa: S311 - spreads load, no secret


class Consumer:
    """`handlers` maps subjects to handlers; replicas of a service share the durable consumer `name` (see `durable`)."""

    def __init__(self, bus: Bus, name: str, handlers: Mapping[str, Handler]) -> None:
        self.name = name
        self._bus = bus
        self._handlers = handlers
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._lanes: dict[str, asyncio.Task[None]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._failures: Counter[int] = Counter()
        self._loop: asyncio.Task[None] | None = None
        self._backlog = Periodic(f"backlog-{name}", backlog.SECONDS, Backlog(bus, name).measure, finish=False)
        self._stopping = False

    @property
    def alive(self) -> bool:
        """False when the consumer's task has ended although nobody stopped it."""
        return self._loop is None or self._stopping or not self._loop.done()

    async def start(self) -> None:
        self._loop = asyncio.create_task(self._run(), name=f"consumer-{self.name}")
        await self._backlog.start()

    async def stop(self) -> None:
        """Fetch no more, finish what is in flight."""
        self._stopping = True
        await self._backlog.stop()
        if self._loop is not None:
            # A fetch cancelled half-way would drop messages, and they would come again after `ACK_WAIT` only.
            await asyncio.wait([self._loop], timeout=FETCH_TIMEOUT + 0.5)
            self._loop.cancel()
            await asyncio.wait([self._loop])
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=HANDLER_TIMEOUT)
            # Those that waited for another one's turn. What they need is closed next; cancelled they roll back first.
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    async def _run(self) -> None:
        while not self._stopping:
            try:
                await self._consume()
            except asyncio.CancelledError:
                raise
            except Exception as error:
                log.warning("consumer.rebinding", consumer=self.name, reason=repr(error))
                await asyncio.sleep(0.5)

    async def _consume(self) -> None:
        jetstream = await self._bus.jetstream()
        await durable.bind(jetstream, self._bus.stream, self._config())
        subscription = await jetstream.pull_subscribe_bind(consumer=self.name, stream=self._bus.stream)
        try:
            while not self._stopping:
                await self._fetch(jetstream, subscription)
        finally:
            await subscription.unsubscribe()

    def _config(self) -> ConsumerConfig:
        return ConsumerConfig(
            durable_name=self.name,
            filter_subjects=sorted(self._handlers),
            deliver_policy=DeliverPolicy.ALL,
            ack_policy=AckPolicy.EXPLICIT,
            ack_wait=ACK_WAIT,
            max_deliver=-1,  # counted here, where the error is known
            max_ack_pending=10_000,  # messages put off count too: an outage must not hold up the others
        )

    async def _fetch(self, jetstream: JetStreamContext, subscription: JetStreamContext.PullSubscription) -> None:
        async with self._slots:  # wait until one at least is free
            pass
        try:
            batch = await subscription.fetch(AT_ONCE - len(self._tasks), timeout=FETCH_TIMEOUT)
        except (nats.errors.TimeoutError, TimeoutError):
            # A deleted durable looks like silence: ask, and let the error of a missing one make it anew.
            await durable.check(jetstream, self._bus.stream, self._config())
            return
        for raw in batch:
            await self._slots.acquire()
            self._dispatch(raw)

    def _dispatch(self, raw: Msg) -> None:
        message = _read(raw)
        lane = message.subject if isinstance(message, Message) else raw.reply
        task = asyncio.create_task(self._in_order(self._lanes.get(lane), raw, message))
        self._lanes[lane] = task
        self._tasks.add(task)
        task.add_done_callback(lambda done: self._finished(lane, done))

    def _finished(self, lane: str, task: asyncio.Task[None]) -> None:
        self._slots.release()
        self._tasks.discard(task)
        if self._lanes.get(lane) is task:
            del self._lanes[lane]
        if not task.cancelled() and task.exception() is not None:
            log.error("consumer.bug", exc_info=task.exception())

    async def _in_order(self, before: asyncio.Task[None] | None, raw: Msg, message: Message | MessageMalformed) -> None:
        if before is not None:
            await asyncio.wait([before])
        if isinstance(message, MessageMalformed):
            await self._bury(raw, message)
            return
        attributes = {"messaging.system": "nats", "messaging.message.id": str(message.id)}
        with span(f"process {message.type}", SpanKind.CONSUMER, attributes, extract(message.traceparent)):
            await self._handle(raw, message)

    async def _handle(self, raw: Msg, message: Message) -> None:
        deliveries = raw.metadata.num_delivered
        outcome = "handled"
        try:
            deadlines.begin(HANDLER_TIMEOUT)
            async with asyncio.timeout(HANDLER_TIMEOUT):
                await self._handler(message.type)(message)
            await raw.ack()
        except AlreadyHandled:
            outcome = "duplicate"
            await raw.ack()
        except Retry as wish:
            outcome = "put-off"
            await raw.nak(wish.delay)
        except NOT_ITS_FAULT as error:
            outcome = "put-off"
            log.warning("message.put-off", type=message.type, reason=str(error), deliveries=deliveries)
            await raw.nak(backoff(min(deliveries, 6)))
        except Exception as error:
            outcome = "failed"
            log.exception("message.failed", type=message.type, message_id=str(message.id), deliveries=deliveries)
            await self._failed(raw, error)
        else:
            self._failures.pop(raw.metadata.sequence.stream, None)
        HANDLED.labels(message.type, outcome).inc()

    def _handler(self, subject: str) -> Handler:
        try:
            return self._handlers[subject]
        except KeyError:
            raise NoHandler(f"this release has no handler for {subject}: left to a replica that has") from None

    async def _failed(self, raw: Msg, error: Exception) -> None:
        # Failures, not deliveries: a message that waited for a dependency has many of those behind it.
        number = raw.metadata.sequence.stream
        self._failures[number] += 1
        if self._failures[number] < MAX_FAILURES:
            await raw.nak(backoff(self._failures[number]))
        else:
            await self._bury(raw, error)

    async def _bury(self, raw: Msg, error: Exception) -> None:
        metadata = raw.metadata
        headers = {
            "Dead-Consumer": self.name,
            "Dead-Subject": raw.subject,
            "Dead-Error": _one_line(f"{type(error).__name__}: {error}"),
            "Dead-Deliveries": str(metadata.num_delivered),
        }
        subject = f"dead.{raw.subject.split('.')[0]}.{self.name}.{raw.subject.split('.', 1)[1]}"
        try:
            letter = f"{self.name}-{metadata.sequence.stream}-{metadata.num_delivered}"
            await self._bus.publish_to(self._bus.dead_stream, subject, letter, raw.data, headers)
        except DependencyUnavailable:
            await raw.nak(backoff(6))
            return
        await raw.ack()
        self._failures.pop(metadata.sequence.stream, None)
        HANDLED.labels(raw.subject, "dead").inc()
        log.error("message.dead", subject=raw.subject, consumer=self.name, error=headers["Dead-Error"])


def _read(raw: Msg) -> Message | MessageMalformed:
    try:
        message = Message.decode(raw.data)
    except MessageMalformed as error:
        return error
    # NATS checks who may publish to a subject. Were the type inside believed, anybody could speak for anybody.
    return message if message.type == raw.subject else MessageMalformed(f"it says that it is a {message.type}")


def _one_line(text: str) -> str:
    """As a header can carry it."""
    return " ".join(text.split()).encode("ascii", "backslashreplace").decode()[:500]
