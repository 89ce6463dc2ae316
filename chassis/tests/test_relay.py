"""The relay publishes every committed message, in the order of its aggregate, one relay at a time."""

import asyncio
import contextlib
import math
import time
import zlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from uuid import UUID

import pytest
import sqlalchemy as sa
from prometheus_client import REGISTRY
from pydantic import SecretStr
from sample.line import line
from sample.storage import outbox
from sample.waiting import until
from sqlalchemy.engine import make_url

from chassis import relay as relay_module
from chassis.bus import Bus, BusUnavailable
from chassis.messages import Message
from chassis.outbox import Outbox
from chassis.relay import Relay, waves
from chassis.settings import BusSettings, DatabaseSettings
from chassis.storage import Database
from conftest import MakeDatabase, ServiceDatabase


@dataclass
class Recorder:
    """Takes messages in the place of NATS; fails those whose id stands in `failing`, and all while `down`."""

    failing: set[str] = field(default_factory=set)
    down: bool = False
    slow: bool = False
    tried: list[str] = field(default_factory=list)
    stored: list[Message] = field(default_factory=list)

    async def publish(self, subject: str, message_id: str, payload: bytes) -> None:
        self.tried.append(message_id)
        await asyncio.sleep(0.005 if self.slow else 0)
        if self.down or message_id in self.failing:
            raise BusUnavailable("on purpose")
        self.stored.append(Message.decode(payload))

    def versions(self, aggregate: str) -> list[int]:
        return [message.version for message in self.stored if message.subject == aggregate]


@contextlib.asynccontextmanager
async def relay(database: Database, publisher: Recorder | Bus) -> AsyncIterator[Relay]:
    running = Relay(database, outbox, publisher)
    await running.start()
    yield running
    await running.stop()


@contextlib.asynccontextmanager
async def pool(of: ServiceDatabase, port: int | None = None) -> AsyncIterator[Database]:
    """At its own port, or with little patience at the near end of a line."""
    url = of.url if port is None else make_url(of.url).set(port=port).render_as_string()
    settings = DatabaseSettings(database_url=url, database_password=SecretStr(of.password))
    database = Database(settings) if port is None else Database(settings, time_limit=0.5)
    yield database
    await database.stop()


def message(aggregate: str, version: int) -> Message:
    return Message.new("shop.sample.noted.v1", aggregate, version, {})


async def store(database: Database, *messages: Message) -> None:
    async with database.transaction() as connection:
        await Outbox(outbox).add(connection, *messages)


async def unpublished(database: Database) -> list[UUID]:
    async with database.autocommit() as connection:
        query = sa.select(outbox.c.message_id).where(outbox.c.published_at.is_(None)).order_by(outbox.c.id)
        return list((await connection.scalars(query)).all())


async def all_published(database: Database) -> bool:
    return not await unpublished(database)


async def test_a_lower_id_that_commits_late_is_not_lost(database: Database) -> None:
    early, late = message("early", 1), message("late", 1)
    bus = Recorder()
    async with relay(database, bus):
        async with database.transaction() as open_for_long:
            await Outbox(outbox).add(open_for_long, early)  # the lower id
            await store(database, late)  # the higher id, visible first
            await until(lambda: [m.id for m in bus.stored] == [late.id])
        await until(lambda: [m.id for m in bus.stored] == [late.id, early.id])


async def test_a_commit_of_its_own_process_is_published_without_waiting_for_a_poll(database: Database) -> None:
    bus = Recorder()
    async with relay(database, bus):
        await asyncio.sleep(0.3)  # the relay has found nothing, and pauses for a second
        await store(database, message("a", 1))
        await until(lambda: len(bus.stored) == 1, seconds=0.4)


async def test_many_messages_leave_in_the_order_of_their_aggregates(database: Database) -> None:
    bus = Recorder()
    aggregates, versions = [f"a{n}" for n in range(50)], list(range(1, 11))
    for version in versions:
        await store(database, *(message(aggregate, version) for aggregate in aggregates))
    async with relay(database, bus):
        await until(lambda: len(bus.stored) == 500)
    assert all(bus.versions(aggregate) == versions for aggregate in aggregates)


async def test_a_later_message_does_not_overtake_one_that_failed(database: Database) -> None:
    first, second, other = message("a", 1), message("a", 2), message("b", 1)
    bus = Recorder(failing={str(first.id)})
    await store(database, first, second, other)
    async with relay(database, bus):
        await until(lambda: bus.tried.count(str(first.id)) >= 2)
        assert [m.id for m in bus.stored] == [other.id], "the other aggregate goes on, this one waits"
        bus.failing.clear()
        await until(lambda: len(bus.stored) == 3)
    assert bus.versions("a") == [1, 2]


async def test_a_message_is_published_again_under_the_same_id(database: Database) -> None:
    bus = Recorder(down=True)
    sent = message("a", 1)
    await store(database, sent)
    async with relay(database, bus):
        await until(lambda: len(bus.tried) >= 2)
        assert set(bus.tried) == {str(sent.id)}
        assert await unpublished(database) == [sent.id]
        bus.down = False
        await until(lambda: len(bus.stored) == 1)


async def test_commits_do_not_hurry_a_relay_that_waits_for_nats(database: Database) -> None:
    bus = Recorder(down=True)
    first = message("a", 1)
    begun = time.monotonic()
    async with relay(database, bus):
        await store(database, first)
        while time.monotonic() - begun < 1.5:
            await store(database, message("a", 2))
    assert bus.tried.count(str(first.id)) <= 3, "each commit had the outbox tried again"


async def test_of_two_relays_one_publishes_and_the_order_is_kept(database: Database) -> None:
    bus = Recorder(slow=True)
    async with relay(database, bus), relay(database, bus):
        for version in range(1, 41):
            await store(database, *(message(aggregate, version) for aggregate in ("a", "b", "c")))
        await until(lambda: len(bus.stored) >= 120)
    assert {aggregate: bus.versions(aggregate) for aggregate in "abc"} == {key: [*range(1, 41)] for key in "abc"}
    assert len(bus.tried) == 120, "nothing was published twice"


async def test_the_stand_by_takes_over_when_the_leader_dies(make_database: MakeDatabase) -> None:
    shared = await make_database("sample")
    first_bus, second_bus = Recorder(), Recorder()
    async with pool(shared) as first, pool(shared) as second, pool(shared) as writer:
        leader = Relay(first, outbox, first_bus)
        await leader.start()
        await store(writer, message("a", 1))
        await until(lambda: len(first_bus.stored) == 1)
        async with relay(second, second_bus):
            await store(writer, message("a", 2))
            await until(lambda: len(first_bus.stored) == 2)
            assert not second_bus.tried, "the stand-by does nothing while the leader lives"
            await leader.stop()  # gives the lock back, as the end of its session does when the process dies
            await store(writer, message("a", 3))
            await until(lambda: second_bus.versions("a") == [3], seconds=5)


async def test_a_leader_that_loses_its_session_leads_no_more(database: Database) -> None:
    bus = Recorder()
    async with relay(database, bus):
        await store(database, message("a", 1))
        await until(lambda: all_published(database))
        async with database.autocommit() as connection:
            holders = "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted"
            await connection.execute(sa.text(holders))
        await store(database, message("a", 2))
        await until(lambda: bus.versions("a") == [1, 2], seconds=5)


async def test_a_leader_whose_database_falls_silent_leads_on_a_new_session(
    database: Database, sample_database: ServiceDatabase
) -> None:
    bus = Recorder()
    async with (
        line(make_url(sample_database.url).port or 0) as wire,
        pool(sample_database, wire.port) as remote,
        relay(remote, bus),
    ):
        await store(database, message("a", 1))
        await until(lambda: all_published(database))
        wire.lose()
        await store(database, message("a", 2))
        await until(lambda: bus.versions("a") == [1, 2], seconds=8)


async def test_a_stand_by_reports_no_waiting_messages_though_it_led_before(make_database: MakeDatabase) -> None:
    class Stuck(Recorder):
        async def publish(self, subject: str, message_id: str, payload: bytes) -> None:
            await released.wait()

    released = asyncio.Event()
    shared = await make_database("sample")
    async with pool(shared) as first, pool(shared) as second, relay(first, Stuck()):
        await store(first, message("a", 1))
        await until(lambda: REGISTRY.get_sample_value("outbox_pending") == 1)
        async with relay(second, Recorder()):
            await until(lambda: REGISTRY.get_sample_value("outbox_pending") == 0)
        released.set()


async def test_while_the_database_is_away_there_is_no_old_number(
    database: Database, sample_database: ServiceDatabase
) -> None:
    def told(name: str) -> float:
        return REGISTRY.get_sample_value(name) or 0

    async with line(make_url(sample_database.url).port or 0) as wire, pool(sample_database, wire.port) as remote:
        await store(database, message("a", 1))
        async with relay(remote, Recorder(down=True)):
            await until(lambda: told("outbox_age_seconds") > 1.5)
            assert told("outbox_pending") == 1, "while NATS is away it is known what waits"
            wire.cut()
            await until(lambda: math.isnan(told("outbox_age_seconds")) and math.isnan(told("outbox_pending")))


async def test_stopping_publishes_what_is_left_and_gives_the_lock_back(database: Database) -> None:
    bus = Recorder()
    async with relay(database, bus):
        await store(database, message("a", 1))
        await until(lambda: len(bus.stored) == 1)
        last = message("a", 2)
        async with database.autocommit() as connection:  # a commit that the relay does not hear of
            await Outbox(outbox).add(connection, last)
    assert bus.versions("a") == [1, 2]
    async with database.autocommit() as connection:
        assert await connection.scalar(sa.text("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'")) == 0


async def test_old_messages_are_deleted_after_a_day_and_unpublished_ones_never(database: Database) -> None:
    old, waiting = message("a", 1), message("b", 1)
    await store(database, old, waiting)
    async with database.transaction() as connection:
        days_ago = sa.func.now() - sa.text("interval '2 days'")
        await connection.execute(sa.update(outbox).values(created_at=days_ago))
        published = sa.update(outbox).where(outbox.c.message_id == old.id)
        await connection.execute(published.values(published_at=days_ago))

    async def left() -> list[UUID]:
        async with database.autocommit() as connection:
            return list((await connection.scalars(sa.select(outbox.c.message_id))).all())

    async def only_the_waiting_one() -> bool:
        return await left() == [waiting.id]

    async with relay(database, Recorder()):
        await until(only_the_waiting_one)


async def test_old_messages_are_deleted_in_bites(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """A statement that is to delete a whole backlog takes too long, and then never ends."""
    monkeypatch.setattr(relay_module, "CLEAN_AT_ONCE", 10)
    await store(database, *(message("a", version) for version in range(1, 26)))
    async with database.transaction() as connection:
        await connection.execute(sa.update(outbox).values(published_at=sa.func.now() - sa.text("interval '2 days'")))
        for statement in (
            "CREATE TABLE bite (size int)",
            "CREATE FUNCTION bite() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN INSERT INTO bite SELECT count(*) FROM gone; RETURN NULL; END $$",
            "CREATE TRIGGER bite AFTER DELETE ON outbox REFERENCING OLD TABLE AS gone "
            "FOR EACH STATEMENT EXECUTE FUNCTION bite()",
        ):
            await connection.execute(sa.text(statement))

    async def bites() -> list[int]:
        async with database.autocommit() as connection:
            return list((await connection.scalars(sa.text("SELECT size FROM bite"))).all())

    async def all_gone() -> bool:
        return await bites() == [10, 10, 5]

    async with relay(database, Recorder()):
        await until(all_gone)


async def test_without_nats_messages_wait_and_then_go(
    database: Database, bus_settings: BusSettings, bus: Bus, unused_tcp_port: int
) -> None:
    nats_port = int(bus_settings.nats_url.rsplit(":", 1)[1])
    absent = Bus(bus_settings.model_copy(update={"nats_url": f"nats://127.0.0.1:{unused_tcp_port}"}), "late")
    await absent.start()
    subject = f"{bus_settings.namespace}.sample.noted.v1"
    await store(database, *(Message.new(subject, "a", version, {}) for version in (1, 2, 3)))
    async with relay(database, absent):
        await asyncio.sleep(0.3)
        assert len(await unpublished(database)) == 3

        async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", nats_port)
            await asyncio.gather(_copy(reader, far_writer), _copy(far_reader, writer), return_exceptions=True)

        server = await asyncio.start_server(forward, "127.0.0.1", unused_tcp_port)
        await until(lambda: all_published(database), seconds=10)
    await absent.stop()
    server.close()
    jetstream = await bus.jetstream()
    assert (await jetstream.stream_info(bus.stream)).state.messages == 3


async def _copy(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    while chunk := await source.read(65536):
        sink.write(chunk)
        await sink.drain()
    sink.close()


async def test_jetstream_keeps_one_of_a_message_that_is_published_twice(bus: Bus, bus_settings: BusSettings) -> None:
    sent = Message.new(f"{bus_settings.namespace}.sample.noted.v1", "a", 1, {})
    for _ in range(2):
        await bus.publish(sent.type, str(sent.id), sent.encode())
    jetstream = await bus.jetstream()
    assert (await jetstream.stream_info(bus.stream)).state.messages == 1


def test_a_wave_holds_one_message_of_an_aggregate() -> None:
    @dataclass
    class Row:
        aggregate: str
        id: int

    rows = [Row("a", 1), Row("a", 2), Row("b", 3), Row("a", 4), Row("c", 5)]
    assert [[row.id for row in wave] for wave in waves(rows)] == [[1, 3, 5], [2], [4]]


async def test_a_stand_by_tells_the_age_while_the_leader_does_nothing(
    database: Database, sample_database: ServiceDatabase
) -> None:
    """A leader that hangs, or whose machine was lost a moment ago: the lock is held and nobody publishes."""
    async with pool(sample_database) as other, other.session() as connection:
        await connection.execute(sa.select(sa.func.pg_advisory_lock(zlib.crc32(b"outbox-relay"))))
        await store(database, message("a", 1))
        bus = Recorder()
        async with relay(database, bus):
            await until(lambda: (REGISTRY.get_sample_value("outbox_age_seconds") or 0) > 1)
            assert bus.tried == []
            assert REGISTRY.get_sample_value("outbox_relay_leader") == 0
        await connection.invalidate()
