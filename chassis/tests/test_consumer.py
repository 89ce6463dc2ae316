"""The consumer: order within an aggregate, redelivery, dead letters, and getting over whatever happens to NATS."""

import asyncio
import contextlib
import itertools
import signal
import subprocess
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import pytest
from nats.aio.msg import Msg
from prometheus_client import REGISTRY
from sample.line import line
from sample.main import Notes
from sample.waiting import until

from chassis import consumer as consumer_module
from chassis.breaker import BreakerOpen
from chassis.bus import Bus
from chassis.consumer import Consumer, Retry
from chassis.deadlines import DeadlineExceeded, remaining
from chassis.errors import DependencyUnavailable
from chassis.inbox import AlreadyHandled
from chassis.messages import Message
from chassis.settings import BusSettings
from chassis.storage import Database
from deploy.local import nats_config, servers

Handle = Callable[[Message], Awaitable[None]]


@pytest.fixture
def subject(namespace: str) -> str:
    return f"{namespace}.sample.noted.v1"


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Redeliver at once: the delays are tested where they are computed."""
    monkeypatch.setattr(consumer_module, "backoff", lambda _: 0.01)


@contextlib.asynccontextmanager
async def consuming(bus: Bus, subject: str, handle: Handle, name: str = "reader") -> AsyncIterator[Consumer]:
    consumer = Consumer(bus, name, {subject: handle})
    await consumer.start()
    yield consumer
    await consumer.stop()


async def publish(bus: Bus, subject: str, aggregate: str, version: int = 1) -> Message:
    message = Message.new(subject, aggregate, version, {"text": f"{aggregate} {version}"})
    await bus.publish(subject, str(message.id), message.encode())
    return message


async def dead_letters(bus: Bus) -> list[Msg]:
    jetstream = await bus.jetstream()
    state = (await jetstream.stream_info(bus.dead_stream)).state
    return [await jetstream.get_msg(bus.dead_stream, seq) for seq in range(state.first_seq, state.last_seq + 1) if seq]  # type: ignore[misc]


async def waiting(bus: Bus, name: str = "reader") -> int:
    """Messages that the consumer has not acknowledged."""
    info = await (await bus.jetstream()).consumer_info(bus.stream, name)
    return (info.num_pending or 0) + (info.num_ack_pending or 0)


async def test_a_message_is_handled_once_and_acknowledged(bus: Bus, subject: str) -> None:
    got: list[Message] = []

    async def handle(message: Message) -> None:
        got.append(message)

    async with consuming(bus, subject, handle):
        sent = await publish(bus, subject, "a")
        begun = time.monotonic()
        await until(lambda: len(got) == 1)
        assert time.monotonic() - begun < 0.5, "a lone message waits for no batch"
        await until(lambda: _none_waits(bus))
    assert got == [sent]


async def _none_waits(bus: Bus) -> bool:
    return await waiting(bus) == 0


async def test_messages_of_one_aggregate_are_handled_in_order_and_others_meanwhile(bus: Bus, subject: str) -> None:
    log: list[tuple[str, int]] = []
    running: set[str] = set()
    most = 0

    async def handle(message: Message) -> None:
        nonlocal most
        assert message.subject not in running, "two of one aggregate at once"
        running.add(message.subject)
        most = max(most, len(running))
        await asyncio.sleep(0.02 if message.version % 2 else 0.001)
        running.discard(message.subject)
        log.append((message.subject, message.version))

    for version in range(1, 9):
        for aggregate in "abcd":
            await publish(bus, subject, aggregate, version)
    async with consuming(bus, subject, handle):
        await until(lambda: len(log) == 32)
    for aggregate in "abcd":
        assert [version for name, version in log if name == aggregate] == list(range(1, 9))
    assert most > 1, "aggregates did not run at once"


async def test_a_message_delivered_twice_takes_effect_once(bus: Bus, subject: str, database: Database) -> None:
    notes = Notes(database, subject)
    deliveries = 0

    async def handle(message: Message) -> None:
        nonlocal deliveries
        deliveries += 1
        await notes.hear(message)

    async with consuming(bus, subject, handle):
        message = await publish(bus, subject, "a")
        await bus.publish(subject, "another id on the stream", message.encode())
        await until(lambda: deliveries == 2)
        await until(lambda: _none_waits(bus))
    assert [heard.id for heard in notes.heard] == [message.id]


async def test_a_handler_may_put_a_message_off(bus: Bus, subject: str) -> None:
    tried: list[float] = []

    async def handle(_: Message) -> None:
        tried.append(time.monotonic())
        if len(tried) < 3:
            raise Retry(0.3, "not yet")

    async with consuming(bus, subject, handle):
        await publish(bus, subject, "a")
        await until(lambda: len(tried) == 3)
        await until(lambda: _none_waits(bus))
    assert all(later - earlier >= 0.28 for earlier, later in itertools.pairwise(tried))
    assert await dead_letters(bus) == []


@pytest.mark.usefixtures("quick")
async def test_a_poisonous_message_goes_to_the_dead_letters_with_its_error(bus: Bus, subject: str) -> None:
    tried = 0
    got: list[str] = []

    async def handle(message: Message) -> None:
        nonlocal tried
        if message.subject == "poison":
            tried += 1
            raise ValueError("cannot digest\nthis ü")
        got.append(message.subject)

    async with consuming(bus, subject, handle):
        poison = await publish(bus, subject, "poison")
        await publish(bus, subject, "wholesome")
        await until(lambda: tried == consumer_module.MAX_FAILURES)
        await until(lambda: _none_waits(bus))
    assert got == ["wholesome"], "the others go on"
    (letter,) = await dead_letters(bus)
    assert Message.decode(letter.data or b"") == poison
    assert letter.subject == f"dead.{subject.replace('.', '.reader.', 1)}"
    headers = letter.headers or {}
    assert headers["Dead-Error"] == r"ValueError: cannot digest this \xfc"
    assert (headers["Dead-Subject"], headers["Dead-Consumer"], headers["Dead-Deliveries"]) == (subject, "reader", "6")


async def test_a_handler_that_hangs_counts_as_failed(
    bus: Bus, subject: str, quick: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consumer_module, "HANDLER_TIMEOUT", 0.05)

    async def handle(_: Message) -> None:
        await asyncio.Event().wait()

    async with consuming(bus, subject, handle):
        await publish(bus, subject, "a")
        await until(lambda: _dead(bus, 1))


async def _dead(bus: Bus, number: int) -> bool:
    return len(await dead_letters(bus)) == number


@pytest.mark.parametrize("payload", [b"", b"\xff", b"[]", b'{"id": 1}', b"{}", b"[" * 100_000])
async def test_what_is_no_cloudevent_is_dead_at_once(bus: Bus, subject: str, payload: bytes) -> None:
    async def handle(_: Message) -> None:
        raise AssertionError("not a message")

    async with consuming(bus, subject, handle):
        await bus.publish(subject, "malformed", payload)
        await until(lambda: _dead(bus, 1))
        await until(lambda: _none_waits(bus))
    (letter,) = await dead_letters(bus)
    assert (letter.data or b"") == payload
    assert (letter.headers or {})["Dead-Error"].startswith("MessageMalformed")


async def test_a_message_under_a_foreign_subject_is_dead_at_once(bus: Bus, subject: str, namespace: str) -> None:
    """NATS checks who may publish a subject; were the type inside believed instead, anybody could send anything."""
    got: list[Message] = []

    async def handle(message: Message) -> None:
        got.append(message)

    other = f"{namespace}.other.noted.v1"
    consumer = Consumer(bus, "reader", {subject: handle, other: handle})
    await consumer.start()
    forged = Message.new(subject, "a", 1, {})
    await bus.publish(other, str(forged.id), forged.encode())
    await until(lambda: _dead(bus, 1))
    await consumer.stop()
    assert got == []


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("error", [DependencyUnavailable("gone"), BreakerOpen("it", 1), DeadlineExceeded()])
async def test_an_absent_dependency_never_makes_a_dead_letter(bus: Bus, subject: str, error: Exception) -> None:
    tried = 0

    async def handle(_: Message) -> None:
        nonlocal tried
        tried += 1
        if tried <= 3 * consumer_module.MAX_FAILURES:
            raise error

    async with consuming(bus, subject, handle):
        await publish(bus, subject, "a")
        await until(lambda: tried > 3 * consumer_module.MAX_FAILURES, every=0.05)
        await until(lambda: _none_waits(bus), every=0.05)
    assert tried == 3 * consumer_module.MAX_FAILURES + 1
    assert await dead_letters(bus) == []


@pytest.mark.usefixtures("quick")
async def test_a_failure_after_a_long_wait_is_the_first_failure(bus: Bus, subject: str) -> None:
    tried = 0

    async def handle(_: Message) -> None:
        nonlocal tried
        tried += 1
        if tried <= 2 * consumer_module.MAX_FAILURES:
            raise DependencyUnavailable("gone")
        if tried < 3 * consumer_module.MAX_FAILURES:
            raise ValueError("and then a failure or two")

    async with consuming(bus, subject, handle):
        await publish(bus, subject, "a")
        await until(lambda: tried >= 3 * consumer_module.MAX_FAILURES, every=0.05)
        await until(lambda: _none_waits(bus), every=0.05)
    assert tried == 3 * consumer_module.MAX_FAILURES
    assert await dead_letters(bus) == []


async def test_a_handlers_calls_end_before_the_handler_does(bus: Bus, subject: str) -> None:
    left: list[float] = []

    async def handle(_: Message) -> None:
        left.append(remaining(600))

    async with consuming(bus, subject, handle):
        await publish(bus, subject, "a")
        await until(lambda: len(left) == 1)
    assert left[0] <= consumer_module.HANDLER_TIMEOUT


async def test_a_deleted_durable_consumer_is_made_anew(bus: Bus, subject: str) -> None:
    got: set[str] = set()

    async def handle(message: Message) -> None:
        if message.subject in got:
            raise AlreadyHandled
        got.add(message.subject)

    async with consuming(bus, subject, handle) as consumer:
        await publish(bus, subject, "before")
        await until(lambda: got == {"before"})
        await (await bus.jetstream()).delete_consumer(bus.stream, "reader")
        await publish(bus, subject, "after")
        await until(lambda: got == {"before", "after"})
        assert consumer.alive


async def test_a_new_handler_widens_the_durable_consumer_that_is_there(bus: Bus, subject: str, namespace: str) -> None:
    got: list[str] = []

    async def handle(message: Message) -> None:
        got.append(message.type)

    async with consuming(bus, subject, handle):
        await publish(bus, subject, "a")
        await until(lambda: got == [subject])
    second = f"{namespace}.other.noted.v1"
    consumer = Consumer(bus, "reader", {subject: handle, second: handle})
    await consumer.start()
    await publish(bus, second, "b")
    await until(lambda: got == [subject, second])
    await consumer.stop()


async def test_stopping_finishes_what_is_in_flight(bus: Bus, subject: str) -> None:
    begun, ended = 0, 0

    async def handle(_: Message) -> None:
        nonlocal begun, ended
        begun += 1
        await asyncio.sleep(2.5)  # longer than the fetch at hand
        ended += 1

    async with consuming(bus, subject, handle):
        for number in range(20):
            await publish(bus, subject, f"a{number}")
        await until(lambda: begun >= 20)
    assert (begun, ended) == (20, 20)
    await until(lambda: _none_waits(bus))


async def test_stopping_amid_a_backlog_leaves_no_message_to_wait_for_its_redelivery(bus: Bus, subject: str) -> None:
    """A message that was fetched and dropped comes again after `ACK_WAIT` only: half a minute for its order."""
    handled = 0

    async def handle(_: Message) -> None:
        nonlocal handled
        handled += 1

    await asyncio.gather(*(publish(bus, subject, f"a{number}") for number in range(1000)))
    for _ in range(5):
        async with consuming(bus, subject, handle):
            seen = handled
            await until(lambda seen=seen: handled > seen, every=0.001)  # type: ignore[misc]
        await until(lambda: _nothing_is_owed(bus), seconds=2)


async def _nothing_is_owed(bus: Bus) -> bool:
    """Whether all that was delivered is acknowledged."""
    known = await (await bus.jetstream()).consumer_info(bus.stream, "reader")
    return bool(known.num_ack_pending == 0)


async def test_after_a_stop_no_handler_is_at_work(bus: Bus, subject: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A message may wait for others of its aggregate: its handler would begin when the database is closed already."""
    monkeypatch.setattr(consumer_module, "HANDLER_TIMEOUT", 0.5)
    running, begun = 0, 0

    async def handle(_: Message) -> None:
        nonlocal running, begun
        running, begun = running + 1, begun + 1
        try:
            await asyncio.sleep(0.4)
        finally:
            running -= 1

    async with consuming(bus, subject, handle):
        for version in range(1, 6):
            await publish(bus, subject, "a", version)
        await until(lambda: begun == 1)
    assert running == 0
    assert not [task for task in asyncio.all_tasks() if "_in_order" in repr(task.get_coro())]


async def test_a_connection_that_the_server_closes_with_an_error_is_made_again(
    bus: Bus, bus_settings: BusSettings, subject: str
) -> None:
    got: list[str] = []

    async def handle(message: Message) -> None:
        got.append(message.subject)

    async with line(int(bus_settings.nats_url.rsplit(":", 1)[1])) as wire:
        remote = Bus(bus_settings.model_copy(update={"nats_url": f"nats://127.0.0.1:{wire.port}"}), "remote")
        await remote.start()
        await remote.jetstream()
        async with consuming(remote, subject, handle) as consumer:
            await publish(remote, subject, "before")
            await until(lambda: got == ["before"])
            wire.say(b"-ERR 'User Authentication Expired'\r\n")
            await until(lambda: REGISTRY.get_sample_value("bus_connected") == 0, every=0)
            await until(lambda: _accepted(remote, subject, "after"))
            await until(lambda: got == ["before", "after"])
            assert consumer.alive
            assert remote.alive
        await remote.stop()


@pytest.fixture
def mortal_nats(tmp_path_factory: pytest.TempPathFactory) -> Iterator["MortalNats"]:
    server = MortalNats(tmp_path_factory.mktemp("nats"))
    server.start()
    yield server
    server.kill()


class MortalNats:
    """A NATS server of one test, to be killed and started again on the same port and data."""

    def __init__(self, folder: Path) -> None:
        self.port = servers.free_port()
        self._config = folder / "nats.conf"
        self._config.write_text(nats_config.render(self.port, folder / "store", [nats_config.NatsUser("test", "x")]))
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._process = servers.start_nats(self._config, self.port)

    def kill(self) -> None:
        assert self._process is not None
        servers.stop(self._process, signal.SIGKILL)


async def _accepted(bus: Bus, subject: str, aggregate: str) -> bool:
    with contextlib.suppress(DependencyUnavailable):
        await publish(bus, subject, aggregate)
        return True
    return False


async def test_a_killed_nats_is_found_again_and_nothing_is_lost(mortal_nats: MortalNats) -> None:
    url = f"nats://127.0.0.1:{mortal_nats.port}"
    bus = Bus(BusSettings.model_validate({"nats_url": url, "nats_user": "test", "nats_password": "x"}), "test")
    await bus.start()
    await bus.jetstream()
    got: list[str] = []

    async def handle(message: Message) -> None:
        got.append(message.subject)

    subject = "shop.sample.noted.v1"
    async with consuming(bus, subject, handle) as consumer:
        await publish(bus, subject, "before")
        await until(lambda: got == ["before"])
        mortal_nats.kill()
        with pytest.raises(DependencyUnavailable):
            await publish(bus, subject, "during")
        mortal_nats.start()

        await until(lambda: _accepted(bus, subject, "after"), every=0.1)
        await until(lambda: "after" in got, seconds=10)
        assert consumer.alive
    await bus.stop()


async def test_a_consumer_that_starts_before_nats_consumes_when_it_comes(mortal_nats: MortalNats) -> None:
    mortal_nats.kill()
    url = f"nats://127.0.0.1:{mortal_nats.port}"
    bus = Bus(BusSettings.model_validate({"nats_url": url, "nats_user": "test", "nats_password": "x"}), "test")
    await bus.start()
    got: list[str] = []

    async def handle(message: Message) -> None:
        got.append(message.subject)

    async with consuming(bus, "shop.sample.noted.v1", handle):
        mortal_nats.start()
        await bus.jetstream()
        await publish(bus, "shop.sample.noted.v1", "a")
        await until(lambda: got == ["a"])
    await bus.stop()


async def test_without_nats_a_process_stops_at_once() -> None:
    bus = Bus(BusSettings.model_validate({"nats_url": "nats://127.0.0.1:1"}), "test")
    await bus.start()
    bus_too_early = Bus(BusSettings.model_validate({"nats_url": "nats://127.0.0.1:1"}), "test")
    await bus_too_early.stop()
    consumer = Consumer(bus, "reader", {"shop.sample.noted.v1": asyncio.sleep})  # type: ignore[dict-item]
    await consumer.start()
    begun = time.monotonic()
    await consumer.stop()
    await bus.stop()
    assert time.monotonic() - begun < 4


async def test_a_stream_that_is_missing_is_made_again_by_publishing(bus: Bus, subject: str) -> None:
    jetstream = await bus.jetstream()
    await jetstream.delete_stream(bus.stream)
    with pytest.raises(DependencyUnavailable):
        await publish(bus, subject, "a")
    await publish(bus, subject, "a")


async def test_a_full_stream_refuses_instead_of_dropping_old_messages(bus: Bus, subject: str) -> None:
    jetstream = await bus.jetstream()
    config = (await jetstream.stream_info(bus.stream)).config
    config.max_msgs = 1
    await jetstream.update_stream(config)
    first = await publish(bus, subject, "a")
    with pytest.raises(DependencyUnavailable):
        await publish(bus, subject, "b")
    stored = await jetstream.get_last_msg(bus.stream, subject)
    assert Message.decode(stored.data or b"").id == first.id


def test_pauses_between_deliveries_grow_to_half_a_minute() -> None:
    for deliveries, most in [(1, 0.2), (2, 0.4), (3, 0.8), (20, 30.0)]:
        assert most / 2 <= consumer_module.backoff(deliveries) <= most
