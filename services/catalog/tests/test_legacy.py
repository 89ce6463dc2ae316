"""Books of the old shop: taken over when they are newer, whatever the order and the number of times that they come."""

import asyncio
import itertools
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import pytest
import sqlalchemy as sa

from catalog.application import Catalog
from catalog.domain import Book, Description, Money
from catalog.main import create_app
from catalog.messaging import LEGACY_BOOK_CHANGED, handlers
from catalog.settings import Settings
from catalog.storage import SqlStorage, inbox, outbox
from chassis.bus import Bus
from chassis.consumer import Retry
from chassis.inbox import AlreadyHandled
from chassis.lifecycle import Lifecycle
from chassis.messages import Message
from chassis.storage import Database

ISBN, OTHER = "9799001000010", "9799001000027"
EMMA = Description("Emma", "Jane Austen", 1815)


def told(version: int, *, isbn: str = ISBN, number: int = 12, title: str = "Emma", amount: int = 1299) -> Message:
    """What bridge says of a book of the old shop."""
    data = {
        "number": number,
        "isbn": isbn,
        "title": title,
        "author": "Jane Austen",
        "year": 1815,
        "price": {"amount": amount, "currency": "EUR"},
        "received": None,
        "version": version,
    }
    return Message.new(LEGACY_BOOK_CHANGED, isbn, version, data)


@dataclass
class Shelf:
    """The handlers over a real database, and what they left there."""

    database: Database
    storage: SqlStorage
    catalog: Catalog = field(init=False)

    def __post_init__(self) -> None:
        self.catalog = Catalog(self.storage)

    async def hear(self, *messages: Message) -> None:
        for message in messages:
            await handlers(self.catalog)[message.type](message)

    async def book(self, isbn: str = ISBN) -> Book:
        return await self.catalog.read(isbn)

    async def events(self) -> list[dict[str, Any]]:
        async with self.database.autocommit() as connection:
            rows = await connection.execute(sa.select(outbox.c.payload).order_by(outbox.c.id))
            return [dict(Message.decode(row.payload).data) for row in rows]


@pytest.fixture
def shelf(database: Database, storage: SqlStorage) -> Shelf:
    return Shelf(database, storage)


async def test_a_book_of_the_old_shop_comes_with_its_number_and_is_told_of_as_its_own(shelf: Shelf) -> None:
    await shelf.hear(told(40))
    assert await shelf.book() == Book(ISBN, EMMA, Money(1299, "EUR"), number=12, version=1, legacy_version=40)
    (event,) = await shelf.events()
    assert (event["origin"], event["number"], event["legacy_version"], event["version"]) == ("legacy", 12, 40, 1)


async def test_a_known_book_takes_the_old_shops_number_and_words(shelf: Shelf) -> None:
    await shelf.catalog.add(ISBN, EMMA, Money(1299, "EUR"))
    await shelf.hear(told(40, title="Emma, a novel", amount=999))
    book = await shelf.book()
    assert (book.number, book.description.title, book.price.amount, book.version) == (12, "Emma, a novel", 999, 2)
    assert [event["origin"] for event in await shelf.events()] == ["catalog", "legacy"]


@pytest.mark.parametrize("order", list(itertools.permutations((41, 42, 43))))
async def test_in_whatever_order_changes_come_the_newest_stays(shelf: Shelf, order: tuple[int, ...]) -> None:
    await shelf.hear(*(told(version, amount=version) for version in order))
    book = await shelf.book()
    assert (book.price.amount, book.legacy_version) == (43, 43)


async def test_many_changes_at_once_leave_the_newest(shelf: Shelf) -> None:
    await shelf.hear(told(1))
    versions = [5, 9, 3, 8, 2, 7, 4, 6]
    await asyncio.gather(*(shelf.hear(told(version, amount=version)) for version in versions))
    assert (await shelf.book()).price.amount == 9
    told_of = [event["version"] for event in await shelf.events()]
    assert told_of == sorted(set(told_of))


async def test_the_same_message_takes_effect_once(shelf: Shelf) -> None:
    message = told(40)
    await shelf.hear(message)
    with pytest.raises(AlreadyHandled):
        await shelf.hear(message)
    assert len(await shelf.events()) == 1


async def test_a_snapshot_of_what_is_known_makes_no_new_version_but_is_remembered(shelf: Shelf) -> None:
    await shelf.hear(told(40), told(90), told(60, amount=1))
    book = await shelf.book()
    assert (book.version, book.legacy_version, book.price.amount) == (1, 90, 1299)
    assert len(await shelf.events()) == 1


async def test_a_change_made_here_stays_until_the_old_shop_makes_a_newer_one(shelf: Shelf) -> None:
    await shelf.hear(told(40))
    await shelf.catalog.change_price(ISBN, None, Money(500, "EUR"))
    await shelf.hear(told(40, amount=1))
    changed = await shelf.book()
    assert (changed.price.amount, changed.number, changed.legacy_version) == (500, 12, 40)
    await shelf.hear(told(41, amount=600))
    assert (await shelf.book()).price.amount == 600


async def test_a_corrected_isbn_takes_its_number_along(shelf: Shelf) -> None:
    await shelf.hear(told(40), told(41, isbn=OTHER))
    assert (await shelf.catalog.read_numbered(12)).isbn == OTHER
    assert (await shelf.book()).number == 1_000_001


async def test_an_operator_who_adds_the_book_at_the_same_moment_is_followed_by_the_old_shop(shelf: Shelf) -> None:
    async with shelf.storage.begin() as work:
        await work.add(Book(ISBN, EMMA, Money(1, "EUR"), await work.next_number()))
        hearing = asyncio.create_task(shelf.hear(told(40)))
        async with asyncio.timeout(10):
            while not await waits(shelf.database):
                await asyncio.sleep(0.01)
    with pytest.raises(Retry):
        await hearing
    await shelf.hear(told(40))
    assert ((await shelf.book()).number, (await shelf.book()).price.amount) == (12, 1299)


async def waits(database: Database) -> bool:
    async with database.autocommit() as connection:
        blocked = (
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        return bool(await connection.scalar(sa.text(blocked)))


@pytest.fixture
async def bridge(settings: Settings, nats_server: Any) -> AsyncIterator[Bus]:
    """The stream as bridge sees it, with the whole service behind it."""
    access = {"nats_url": nats_server.url, "nats_user": nats_server.user, "nats_password": nats_server.password}
    connected = Settings.model_validate({**settings.model_dump(), **access})
    _, lifecycle = create_app(connected)
    bus = Bus(connected, "bridge")
    async with Lifecycle([bus]).lifespan(None), lifecycle.lifespan(None):
        await bus.jetstream()
        yield bus


async def test_a_message_on_the_stream_is_in_the_catalogue_and_delivered_twice_once(bridge: Bus, shelf: Shelf) -> None:
    isbn = f"978{uuid4().int % 10**10:010}"  # the stream is one for all tests, and so is who reads it
    first, second = told(41, isbn=isbn, amount=7), told(42, isbn=isbn, amount=8)
    for message, delivery in ((second, ""), (first, ""), (second, "-again")):
        await bridge.publish(message.type, f"{message.id}{delivery}", message.encode())
    async with asyncio.timeout(20):
        while not await handled(shelf.database, first, second):
            await asyncio.sleep(0.05)
    assert (await shelf.book(isbn)).price.amount == 8
    assert [event["price"]["amount"] for event in await shelf.events() if event["isbn"] == isbn] == [8]


async def handled(database: Database, *messages: Message) -> bool:
    async with database.autocommit() as connection:
        ids = set((await connection.scalars(sa.select(inbox.c.message_id))).all())
    return {message.id for message in messages} <= ids
