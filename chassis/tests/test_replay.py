"""Dead letters can be listed, and put back on the stream: a replayed one is handled once."""

import pytest
import sqlalchemy as sa
from sample.main import Notes
from sample.storage import note
from sample.waiting import until

from chassis import consumer as consumer_module
from chassis.bus import Bus
from chassis.consumer import Consumer
from chassis.messages import Message
from chassis.replay import replay
from chassis.storage import Database


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(consumer_module, "backoff", lambda _: 0.01)


class Sick:
    """A handler that fails until it is cured; `first` is another consumer of the same messages, and well."""

    def __init__(self, bus: Bus, namespace: str, database: Database) -> None:
        self.subject = f"{namespace}.sample.noted.v1"
        self.notes = Notes(database, self.subject)
        self.cured = False
        self.deliveries = 0
        self.consumer = Consumer(bus, "sick", {self.subject: self._handle})

    async def _handle(self, message: Message) -> None:
        self.deliveries += 1
        if not self.cured:
            raise ValueError("I am sick")
        await self.notes.hear(message)


@pytest.fixture
def sick(bus: Bus, namespace: str, database: Database) -> Sick:
    return Sick(bus, namespace, database)


async def letters(bus: Bus) -> int:
    return (await (await bus.jetstream()).stream_info(bus.dead_stream)).state.messages


async def bury(bus: Bus, sick: Sick, payload: bytes, expected: int = 1) -> None:
    await bus.publish(sick.subject, f"buried-{expected}", payload)

    async def dead() -> bool:
        return await letters(bus) == expected

    await until(dead)


async def test_a_replayed_dead_letter_is_handled_once(
    bus: Bus, sick: Sick, database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    await sick.consumer.start()
    message = Message.new(sick.subject, "a", 1, {"text": "late"})
    await bury(bus, sick, message.encode())

    assert await replay(bus, "sick", listing=True) == 1
    assert f"{message.id}  {sick.subject}  ValueError: I am sick" in capsys.readouterr().out
    assert await letters(bus) == 1, "a list changes nothing"

    sick.cured = True
    assert await replay(bus, "sick", listing=False) == 1
    await until(lambda: [heard.id for heard in sick.notes.heard] == [message.id])
    assert await letters(bus) == 0
    assert await replay(bus, "sick", listing=False) == 0

    handled = sick.deliveries
    await bus.publish(sick.subject, "once more", message.encode())  # as if an operator had replayed it twice
    await until(lambda: sick.deliveries == handled + 1)
    await sick.consumer.stop()
    async with database.autocommit() as connection:
        assert (await connection.scalars(sa.select(note.c.text))).all() == ["heard late"]


async def test_a_replayed_letter_that_fails_again_is_a_dead_letter_again(bus: Bus, sick: Sick) -> None:
    await sick.consumer.start()
    await bury(bus, sick, Message.new(sick.subject, "a", 1, {"text": "x"}).encode())
    before = sick.deliveries
    assert await replay(bus, "sick", listing=False) == 1
    await until(lambda: sick.deliveries == 2 * before)

    async def dead() -> bool:
        return await letters(bus) == 1

    await until(dead)
    await sick.consumer.stop()


async def test_letters_of_other_consumers_and_malformed_ones_stay_apart(
    bus: Bus, sick: Sick, capsys: pytest.CaptureFixture[str]
) -> None:
    await sick.consumer.start()
    await bury(bus, sick, b"not json")
    assert await replay(bus, "healthy", listing=False) == 0
    assert await replay(bus, "sick", listing=True) == 1
    assert "(malformed)" in capsys.readouterr().out
    await sick.consumer.stop()
