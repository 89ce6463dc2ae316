"""Publishing: each change of the old shop once, in order, whoever crashes; and nothing that bridge wrote itself."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import sqlalchemy as sa
from joserfc import jwe
from joserfc.jwk import OctKey

from bridge.capture import Capture
from bridge.domain import SHOP
from bridge.publish import Publisher
from bridge.sealing import Sealer
from bridge.settings import Settings, decode_key
from bridge.storage import feed
from bridge.translate import Translator
from chassis.errors import DependencyUnavailable
from chassis.messages import Message
from chassis.storage import Database
from services.bridge.tests.fakes import FakeBus, OldShop, until

Publish = Callable[[Any], Awaitable[bool]]


@pytest.fixture
def publish(settings: Settings, database: Database) -> Publish:
    """Publish the next batch to the given bus, as the leader does."""

    async def publish(bus: Any) -> bool:
        async with database.session() as connection:
            return await Publisher(database, Capture(database), _translator(settings), bus).publish_batch(connection)

    return publish


@pytest.fixture
def bus() -> FakeBus:
    return FakeBus()


async def test_an_order_is_told_once_a_transaction_and_whole(publish: Publish, bus: FakeBus, old_shop: OldShop) -> None:
    emma, walden = await old_shop.product(), await old_shop.product("9781999900014", "10.00")
    ann = await old_shop.customer()
    number = await old_shop.checkout(ann, {emma: 2, walden: 1})
    assert await publish(bus)
    (order,), (customer,) = bus.told("order-changed"), bus.told("customer-changed")
    assert order.subject == order.data["order_id"]
    assert order.data["customer_id"] == customer.data["customer_id"]
    assert (order.data["number"], order.data["status"], order.data["reason"]) == (number, "confirmed", None)
    assert order.data["total"] == {"amount": 5980, "currency": "EUR"}
    assert [(line["isbn"], line["title"], line["quantity"]) for line in order.data["lines"]] == [
        ("9781999900007", "Emma", 2),
        ("9781999900014", "Emma", 1),
    ]
    assert order.data["placed_at"] == "2026-07-01T10:00:00+00:00"
    assert order.version == order.data["version"] == await old_shop.value("SELECT max(id) FROM bridge.change")
    assert bus.told("stock-received") == []
    assert not await publish(bus)


async def test_a_refused_order_is_told_as_cancelled(publish: Publish, bus: FakeBus, old_shop: OldShop) -> None:
    await old_shop.checkout(await old_shop.customer(), {await old_shop.product(): 1}, "X")
    await publish(bus)
    (order,) = bus.told("order-changed")
    assert (order.data["status"], order.data["reason"]) == ("cancelled", "card-declined")


async def test_ids_of_orders_and_customers_stay_the_same(publish: Publish, bus: FakeBus, old_shop: OldShop) -> None:
    ann, emma = await old_shop.customer(), await old_shop.product()
    order = await old_shop.checkout(ann, {emma: 1})
    await publish(bus)
    await old_shop.execute("UPDATE orders SET status = 'X' WHERE id = $1", order)
    await old_shop.execute("UPDATE customers SET name = 'Anne', created = created + interval '1 day'")
    await publish(bus)
    first, second = bus.told("order-changed")
    assert first.subject == second.subject
    assert first.version < second.version
    assert len({message.subject for message in bus.told("customer-changed")}) == 1


async def test_a_password_hash_passes_the_bus_sealed(
    publish: Publish, bus: FakeBus, old_shop: OldShop, settings: Settings
) -> None:
    await old_shop.customer()
    await publish(bus)
    (customer,) = bus.told("customer-changed")
    assert "0" * 40 not in customer.encode().decode()
    opened = jwe.decrypt_compact(customer.data["password_sealed"], OctKey.import_key(decode_key(settings.hash_key)))
    assert opened.plaintext == b"saltsalt$" + b"0" * 40
    assert opened.protected == {"alg": "dir", "enc": "A256GCM"}


async def test_books_and_their_stock(publish: Publish, bus: FakeBus, old_shop: OldShop) -> None:
    await old_shop.product(stock=10)
    await old_shop.execute("UPDATE products SET stock = stock + 5")
    await old_shop.execute("UPDATE products SET price = 19.99")
    await publish(bus)
    new, cheaper = bus.told("book-changed")
    (received,) = bus.told("stock-received")
    assert (new.data["received"], received.data["quantity"], cheaper.data["received"]) == (10, 5, None)
    assert cheaper.data["price"] == {"amount": 1999, "currency": "EUR"}
    assert [m.version for m in bus.published] == sorted(m.version for m in bus.published)


async def test_a_crash_between_publishing_and_noting_it_tells_the_same_messages_again(
    publish: Publish, old_shop: OldShop
) -> None:
    await old_shop.checkout(await old_shop.customer(), {await old_shop.product(): 1})
    before, after = FakeBus(lose=2), FakeBus()
    with pytest.raises(DependencyUnavailable):
        await publish(before)
    await publish(after)
    ids = {message.id for message in after.published}
    assert len(ids) == 3
    assert {message.id for message in before.published} <= ids
    assert not await publish(after)


async def test_what_bridge_wrote_back_does_not_echo(
    publish: Publish, bus: FakeBus, old_shop: OldShop, database: Database
) -> None:
    await old_shop.product()
    await publish(bus)
    async with old_shop.pool.acquire() as connection, connection.transaction():
        await connection.execute(f"SELECT set_config('bridge.origin', '{SHOP}', true)")
        await connection.execute("UPDATE products SET price = 1, stock = 3")
    await old_shop.execute("UPDATE products SET title = 'Emma again'")
    assert await publish(bus)
    assert [message.data["title"] for message in bus.told("book-changed")] == ["Emma", "Emma again"]
    async with database.autocommit() as session:
        state = await feed.read_state(session)
    assert (state.suppressed, state.captured, state.lag) == (1, state.published, 0)


async def test_messages_of_one_book_keep_their_order_and_others_do_not_wait_for_them(
    publish: Publish, old_shop: OldShop
) -> None:
    for isbn in ("a", "b"):
        await old_shop.product(isbn)
    for price in range(1, 6):
        await old_shop.execute("UPDATE products SET price = $1", price)
    bus = _SlowFor("a")
    await publish(bus)
    assert [place for isbn, place in bus.stored if isbn == "a"] == list(range(6))
    assert [place for isbn, place in bus.stored if isbn == "b"] == list(range(6))
    assert bus.most_at_once == 2


async def test_one_replica_publishes_and_another_takes_over(
    settings: Settings, database: Database, old_shop: OldShop
) -> None:
    capture = Capture(database)
    buses = FakeBus(), FakeBus()
    first, second = (Publisher(database, capture, _translator(settings), bus) for bus in buses)
    await capture.start()
    try:
        await first.start()
        await until(lambda: _led(database))
        await second.start()
        await old_shop.product("a")
        await until(lambda: _has(buses[0], 1))
        await first.stop()
        await old_shop.product("b")
        await until(lambda: _has(buses[1], 1))
    finally:
        await second.stop()
        await capture.stop()
    assert [[message.subject for message in bus.published] for bus in buses] == [["a"], ["b"]]


async def test_more_old_changes_than_are_forgotten_at_once_do_not_wait_for_the_next_minute(
    settings: Settings, database: Database, old_shop: OldShop
) -> None:
    await old_shop.execute(
        "INSERT INTO bridge.change (tbl, op) SELECT 'bridge', 'INSTALL' FROM generate_series(1, $1::int)",
        2 * feed.CLEAN_AT_ONCE + 10,
    )
    await old_shop.execute("UPDATE bridge.change SET at = now() - interval '25 hours'")
    await old_shop.execute("UPDATE bridge.position SET id = (SELECT max(id) FROM bridge.change)")
    capture = Capture(database)
    publisher = Publisher(database, capture, _translator(settings), FakeBus())
    await capture.start()
    try:
        await publisher.start()
        await until(lambda: _forgotten(old_shop))
    finally:
        await publisher.stop()
        await capture.stop()


async def _forgotten(old_shop: OldShop) -> bool:
    return bool(await old_shop.value("SELECT count(*) < 10 FROM bridge.change"))


async def _has(bus: FakeBus, count: int) -> bool:
    return len(bus.published) >= count


async def _led(database: Database) -> bool:
    async with database.autocommit() as connection:
        return bool(await connection.scalar(sa.text("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'")))


def _translator(settings: Settings) -> Translator:
    return Translator(Sealer(decode_key(settings.hash_key)))


class _SlowFor:
    """A bus on which messages of one book take long; notes in which order they are stored."""

    def __init__(self, isbn: str) -> None:
        self._isbn = isbn
        self._at_once = 0
        self.most_at_once = 0
        self.seen: dict[str, int] = {}
        self.stored: list[tuple[str, int]] = []

    async def publish(self, subject: str, message_id: str, payload: bytes) -> None:
        isbn = Message.decode(payload).subject
        place = self.seen[isbn] = self.seen.get(isbn, -1) + 1
        self._at_once += 1
        self.most_at_once = max(self.most_at_once, self._at_once)
        await asyncio.sleep(0.01 if isbn == self._isbn else 0)
        self._at_once -= 1
        self.stored.append((isbn, place))
