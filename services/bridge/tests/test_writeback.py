"""The way back: orders and books of the new shop in the old one's tables, once each, and who wins of two changes."""

import asyncio
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest
from uuid_utils.compat import uuid7

from bridge.application import WriteBack
from bridge.capture import Capture
from bridge.copying import Snapshot
from bridge.domain import ShopLine, ShopOrder
from bridge.messaging import BOOK_CHANGED, ORDER_CANCELLED, ORDER_CONFIRMED, handlers
from bridge.publish import Publisher
from bridge.sealing import Sealer
from bridge.settings import Settings, decode_key
from bridge.storage.writeback import SqlStorage
from bridge.translate import Translator
from chassis.consumer import Retry
from chassis.inbox import AlreadyHandled
from chassis.messages import Message
from chassis.storage import Database
from services.bridge.tests.fakes import EMMA, FakeBus, OldShop

ANN = UUID("01957c3e-0f00-7000-8000-0000000000c1")
PLACED = datetime(2026, 7, 1, 10, tzinfo=UTC)


class Shop:
    """Speaks as the new shop's services do, and hears as the catalogue does."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self._handlers = handlers(WriteBack(SqlStorage(database)))
        self._database = database
        self.translator = Translator(Sealer(decode_key(settings.hash_key)))
        self.bus = FakeBus()
        self.book: dict[str, Any] = {}

    async def hears(self, type: str, data: dict[str, Any], id: UUID | None = None) -> None:
        subject = str(data.get("order_id") or data["isbn"])
        await self._handlers[type](Message(id or uuid7(), type, "/test", subject, 1, PLACED, data))

    async def catalog_hears(self) -> None:
        """What the old shop has told by now reaches the catalogue, which takes what is newer than what it heard."""
        async with self._database.session() as connection:
            publisher = Publisher(self._database, Capture(self._database), self.translator, self.bus)
            while await publisher.publish_batch(connection):
                pass
        for message in self.bus.told("book-changed"):
            if message.version > self.book.get("legacy_version", 0):
                told = {name: message.data[name] for name in ("number", "isbn", "title", "author", "year", "price")}
                self.book |= {**told, "legacy_version": message.version, "version": self.book.get("version", 0) + 1}

    async def catalog_changes(self, **content: Any) -> dict[str, Any]:
        """An operator of the new shop changes the book; returns what the catalogue tells of it."""
        self.book |= {**content, "version": self.book["version"] + 1}
        return {**self.book, "origin": "catalog"}


@pytest.fixture
def shop(settings: Settings, database: Database) -> Shop:
    return Shop(settings, database)


def order(number: int = 1_000_001, **changed: Any) -> dict[str, Any]:
    line = {"isbn": EMMA, "title": "Emma", "quantity": 2, "unit_price": {"amount": 2490, "currency": "EUR"}}
    return {
        "order_id": str(uuid7()),
        "number": number,
        "customer_id": str(ANN),
        "lines": [line],
        "total": {"amount": 4980, "currency": "EUR"},
        "placed_at": PLACED.isoformat(),
        "origin": "shop",
        **changed,
    }


async def stock(old_shop: OldShop) -> int:
    return int(await old_shop.value("SELECT stock FROM products"))


async def test_a_confirmed_order_is_in_the_old_shop_as_it_would_write_it(shop: Shop, old_shop: OldShop) -> None:
    emma = await old_shop.product(stock=10)
    await shop.hears(ORDER_CONFIRMED, order())
    row = await old_shop.row("SELECT id, status, total, created FROM orders")
    assert row == (1_000_001, "P", Decimal("49.80"), datetime.fromisoformat("2026-07-01T12:00"))
    assert await old_shop.row("SELECT * FROM order_items") == (1_000_001, 1, emma, 2, Decimal("24.90"))
    assert await stock(old_shop) == 8


async def test_a_cancelled_order_takes_nothing_from_the_shelf(shop: Shop, old_shop: OldShop) -> None:
    await old_shop.product(stock=10)
    await shop.hears(ORDER_CANCELLED, order(reason="card-declined"))
    assert await old_shop.value("SELECT status FROM orders") == "X"
    assert await stock(old_shop) == 10


async def test_an_order_that_comes_again_is_there_once(shop: Shop, old_shop: OldShop) -> None:
    await old_shop.product(stock=10)
    data, message = order(), uuid7()
    await shop.hears(ORDER_CONFIRMED, data, message)
    with pytest.raises(AlreadyHandled):
        await shop.hears(ORDER_CONFIRMED, data, message)
    await shop.hears(ORDER_CONFIRMED, data)
    assert await old_shop.value("SELECT count(*) FROM orders") == 1
    assert await stock(old_shop) == 8, "nor is it when it comes under another id"


async def test_a_crash_leaves_neither_the_order_nor_the_mark_that_it_was_handled(shop: Shop, old_shop: OldShop) -> None:
    await old_shop.product(stock=10)
    await old_shop.execute("ALTER TABLE products ADD CONSTRAINT fail CHECK (stock = 10)")
    data, message = order(), uuid7()
    with pytest.raises(Exception, match="fail"):
        await shop.hears(ORDER_CONFIRMED, data, message)
    await old_shop.execute("ALTER TABLE products DROP CONSTRAINT fail")
    await shop.hears(ORDER_CONFIRMED, data, message)
    assert await stock(old_shop) == 8


async def test_what_came_from_the_old_shop_does_not_go_back(shop: Shop, old_shop: OldShop) -> None:
    await old_shop.product()
    await shop.hears(ORDER_CONFIRMED, order(7, origin="legacy"))
    assert await old_shop.value("SELECT count(*) FROM orders") == 0


async def test_nothing_that_is_written_back_is_told_again(shop: Shop, old_shop: OldShop) -> None:
    await old_shop.product()
    await shop.catalog_hears()
    told = len(shop.bus.published)
    await shop.hears(ORDER_CONFIRMED, order())
    await shop.hears(BOOK_CHANGED, await shop.catalog_changes(title="Persuasion"))
    await shop.catalog_hears()
    assert len(shop.bus.published) == told
    assert await old_shop.value("SELECT suppressed FROM bridge.position") >= 5


async def test_an_order_of_a_customer_of_the_old_shop_is_that_customer_s(shop: Shop, old_shop: OldShop) -> None:
    await old_shop.product()
    ann = await old_shop.customer()
    await shop.catalog_hears()
    (told,) = shop.bus.told("customer-changed")
    await shop.hears(ORDER_CONFIRMED, order(customer_id=told.data["customer_id"]))
    assert await old_shop.value("SELECT customer_id FROM orders") == ann


async def test_a_customer_whom_the_old_shop_never_saw_gets_one_account_without_a_login(
    shop: Shop, old_shop: OldShop
) -> None:
    await old_shop.product(stock=100)
    await asyncio.gather(*(shop.hears(ORDER_CONFIRMED, order(1_000_001 + number)) for number in range(8)))
    (row,) = [tuple(row) for row in await old_shop.pool.fetch("SELECT email, password FROM customers")]
    assert row == (f"customer-{ANN}@shop.invalid", "-" * 40)
    assert await old_shop.value("SELECT count(DISTINCT customer_id) FROM orders") == 1
    assert await stock(old_shop) == 84


async def test_an_order_waits_for_a_book_that_is_still_on_its_way(shop: Shop, old_shop: OldShop) -> None:
    data, message = order(), uuid7()
    with pytest.raises(Retry) as put_off:
        await shop.hears(ORDER_CONFIRMED, data, message)
    assert put_off.value.delay >= 2, "for a book that never comes it is asked again and again"
    await old_shop.product()
    await shop.hears(ORDER_CONFIRMED, data, message)
    assert await old_shop.value("SELECT count(*) FROM orders") == 1


async def test_a_shelf_may_go_below_nothing_and_that_is_counted(
    settings: Settings, database: Database, old_shop: OldShop
) -> None:
    await old_shop.product(stock=1)
    write_back = WriteBack(SqlStorage(database))
    sold = ShopOrder(uuid7(), 1_000_001, ANN, "P", 4980, PLACED, (ShopLine(EMMA, 2, 2490),))
    assert await write_back.order_ended(sold, uuid4()) == 1
    assert await stock(old_shop) == -1
    again = ShopOrder(uuid7(), 1_000_002, ANN, "P", 4980, PLACED, (ShopLine(EMMA, 2, 2490),))
    assert await write_back.order_ended(again, uuid4()) == 2


async def test_a_book_of_the_catalogue_s_own_gets_its_number_and_an_empty_shelf(shop: Shop, old_shop: OldShop) -> None:
    book = {
        "number": 1_000_001,
        "isbn": EMMA,
        "title": "Emma",
        "author": "Jane Austen",
        "year": 1815,
        "price": {"amount": 1299, "currency": "EUR"},
        "version": 1,
        "origin": "catalog",
        "legacy_version": 0,
    }
    await shop.hears(BOOK_CHANGED, book)
    row = (1_000_001, EMMA, "Emma", "Jane Austen", 1815, Decimal("12.99"), 0)
    assert await old_shop.row("SELECT * FROM products") == row


async def content(old_shop: OldShop) -> Any:
    return await old_shop.row("SELECT title, price FROM products")


def agreed(shop: Shop) -> Any:
    return shop.book["title"], Decimal(shop.book["price"]["amount"]) / 100


async def test_a_change_of_the_catalogue_reaches_the_old_shop(shop: Shop, old_shop: OldShop) -> None:
    await old_shop.product()
    await shop.catalog_hears()
    await shop.hears(BOOK_CHANGED, await shop.catalog_changes(title="Persuasion"))
    assert await content(old_shop) == ("Persuasion", Decimal("24.90")) == agreed(shop)


async def test_a_sale_meanwhile_is_no_conflict(shop: Shop, old_shop: OldShop) -> None:
    emma, ann = await old_shop.product(), await old_shop.customer()
    await shop.catalog_hears()
    told = await shop.catalog_changes(title="Persuasion")
    await old_shop.checkout(ann, {emma: 1})
    await shop.hears(BOOK_CHANGED, told)
    await shop.catalog_hears()
    assert await content(old_shop) == ("Persuasion", Decimal("24.90")) == agreed(shop)


async def test_of_two_changes_at_once_the_old_shop_s_stays_on_both_sides(shop: Shop, old_shop: OldShop) -> None:
    await old_shop.product()
    await shop.catalog_hears()
    told = await shop.catalog_changes(title="Persuasion")
    await old_shop.execute("UPDATE products SET title = 'Sense and Sensibility'")
    await shop.hears(BOOK_CHANGED, told)
    await shop.catalog_hears()
    assert await content(old_shop) == ("Sense and Sensibility", Decimal("24.90")) == agreed(shop)


async def test_a_change_that_the_catalogue_made_after_hearing_of_the_old_shop_s_counts(
    shop: Shop, old_shop: OldShop
) -> None:
    await old_shop.product()
    await old_shop.execute("UPDATE products SET price = 5")
    await shop.catalog_hears()
    await shop.hears(BOOK_CHANGED, await shop.catalog_changes(title="Persuasion"))
    await shop.catalog_hears()
    assert await content(old_shop) == ("Persuasion", Decimal(5)) == agreed(shop)


async def test_an_older_version_that_comes_late_changes_nothing(shop: Shop, old_shop: OldShop) -> None:
    await old_shop.product()
    await shop.catalog_hears()
    older, newer = await shop.catalog_changes(title="Older"), await shop.catalog_changes(title="Newer")
    await shop.hears(BOOK_CHANGED, newer)
    await shop.hears(BOOK_CHANGED, older)
    assert await content(old_shop) == ("Newer", Decimal("24.90"))


async def test_a_snapshot_on_its_way_counts_as_the_old_shop_s_word(
    shop: Shop, old_shop: OldShop, database: Database
) -> None:
    emma = await old_shop.product()
    await shop.catalog_hears()
    told = await shop.catalog_changes(title="Persuasion")
    await old_shop.checkout(await old_shop.customer(), {emma: 1})
    await Snapshot(database, shop.bus, shop.translator, 10).run(Silent())
    await shop.hears(BOOK_CHANGED, told)
    await shop.catalog_hears()
    assert await content(old_shop) == ("Emma", Decimal("24.90")) == agreed(shop)


class Silent:
    def began(self, table: str, rows: int, total: int) -> None: ...
    def moved(self, table: str, rows: int) -> None: ...
    def ended(self, table: str, rows: int) -> None: ...
