"""Capture: every committed change once, in the order of the commits, and nothing else in the old shop altered."""

import asyncio
import importlib.resources
import secrets
from typing import Any

import asyncpg
import pytest

from bridge.capture import Capture, NotYet, install
from bridge.storage import feed
from chassis.storage import Database
from services.bridge.tests.fakes import TABLES, OldShop, until

REPRICE = "UPDATE products SET price = price + 1 WHERE isbn = $1"


class Reader:
    """Reads as the publisher does: what is above the last."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._last = 0

    async def read(self) -> list[Any]:
        async with self._database.autocommit() as connection:
            changes = await feed.read_after(connection, self._last, 1000)
        self._last = max((change.id for change in changes), default=self._last)
        return [change.new["isbn"] for change in changes if change.table == "products" and change.new]


@pytest.fixture
async def reader(database: Database, old_shop: OldShop) -> Reader:
    """Two products are there and read."""
    for isbn in ("early", "late"):
        await old_shop.product(isbn)
    reader = Reader(database)
    assert await reader.read() == ["early", "late"]
    return reader


async def test_a_transaction_that_began_first_and_ends_last_is_read_last_and_not_missed(
    reader: Reader, old_shop: OldShop
) -> None:
    async with old_shop.pool.acquire() as early, old_shop.pool.acquire() as late:
        async with early.transaction():
            await early.execute(REPRICE, "early")
            await late.execute(REPRICE, "late", timeout=5)
            assert await reader.read() == ["late"]
        assert await reader.read() == ["early"], "had it its id since its update, it would be below the last"


async def ending_together(reader: Reader, old_shop: OldShop) -> list[str]:
    """One transaction has its ids and is not visible yet, another one ends meanwhile: what the reader gets to see."""
    async with old_shop.pool.acquire() as early, old_shop.pool.acquire() as late:
        begun = early.transaction()
        await begun.start()
        await early.execute(REPRICE, "early")
        await early.execute("SET CONSTRAINTS ALL IMMEDIATE")  # as far as a commit has come just before its end
        ending = asyncio.create_task(late.execute(REPRICE, "late"))
        await asyncio.wait([ending], timeout=0.3)
        seen = await reader.read()
        await begun.commit()
        await ending
    return seen + await reader.read()


async def test_ids_are_in_the_order_of_the_commits(reader: Reader, old_shop: OldShop) -> None:
    assert await ending_together(reader, old_shop) == ["early", "late"]


async def test_without_the_lock_a_change_would_be_missed(reader: Reader, old_shop: OldShop) -> None:
    script = importlib.resources.files("bridge").joinpath("capture.sql").read_text()
    lock = "PERFORM pg_advisory_xact_lock(7263002);"
    assert lock in script
    await old_shop.execute(script.replace(lock, ""))
    assert await ending_together(reader, old_shop) == ["late"]


async def test_what_is_rolled_back_is_not_recorded(reader: Reader, old_shop: OldShop) -> None:
    async with old_shop.pool.acquire() as connection:
        transaction = connection.transaction()
        await transaction.start()
        await connection.execute(REPRICE, "early")
        await transaction.rollback()
    await old_shop.execute("UPDATE products SET price = price")
    assert await reader.read() == [], "nor is what changes nothing"


async def test_installing_again_leaves_everything_as_it_is(database: Database, old_shop: OldShop) -> None:
    await old_shop.product()
    state = "SELECT (SELECT max(id) FROM bridge.change), (SELECT id FROM bridge.position), count(*) FROM pg_trigger"
    before = await old_shop.row(state)

    async def once_more() -> None:
        async with database.transaction() as connection:
            await install(connection)

    await asyncio.gather(*(once_more() for _ in range(3)))
    assert await old_shop.row(state) == before


async def test_installing_again_does_not_wait_for_those_who_write(database: Database, old_shop: OldShop) -> None:
    async with old_shop.pool.acquire() as writing, writing.transaction():
        await writing.execute("LOCK TABLE bridge.change, bridge.inbox IN ROW EXCLUSIVE MODE")
        async with asyncio.timeout(5), database.transaction() as connection:
            await install(connection)


async def test_installing_gives_up_wherever_it_has_to_wait(database: Database, old_shop: OldShop) -> None:
    async with old_shop.pool.acquire() as writing, writing.transaction():
        await writing.execute("LOCK TABLE bridge.change")
        with pytest.raises(NotYet):
            async with asyncio.timeout(2), database.transaction() as connection:
                await install(connection)


async def test_installing_waits_for_a_checkout_with_nothing_in_its_hands(database: Database, old_shop: OldShop) -> None:
    """A checkout takes its books from the shelf, and only then writes the order."""
    await old_shop.product()
    ann = await old_shop.customer()
    for table in ("products", "orders", "order_items", "customers"):
        await old_shop.execute(f"DROP TRIGGER bridge_record ON {table}")
    capture = Capture(database)
    async with old_shop.pool.acquire() as checkout, checkout.transaction():
        await checkout.execute("UPDATE products SET stock = stock - 1")
        await capture.start()
        await until(lambda: _waits(old_shop))
        await checkout.execute("SET LOCAL lock_timeout = '100ms'")
        await checkout.execute(
            "INSERT INTO orders (customer_id, status, total, created) VALUES ($1, 'P', 1, now())", ann
        )
    try:
        async with asyncio.timeout(10):
            await capture.ready()
    finally:
        await capture.stop()
    assert await old_shop.value("SELECT count(*) FROM pg_trigger WHERE tgname = 'bridge_record'") == 4


async def _waits(old_shop: OldShop) -> bool:
    sql = "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND relation = 'products'::regclass)"
    return bool(await old_shop.value(sql))


async def test_there_is_a_version_above_zero_before_the_first_change(old_shop: OldShop) -> None:
    assert await old_shop.value("SELECT max(id) FROM bridge.change") >= 1


async def test_whole_transactions_are_read_however_many_rows_they_have(database: Database, old_shop: OldShop) -> None:
    for number in range(3):
        await old_shop.product(f"book-{number}")
    await old_shop.execute("UPDATE products SET year = 2000")
    await old_shop.execute("UPDATE products SET year = 2001 WHERE isbn = 'book-0'")
    async with database.autocommit() as connection:
        changes = await feed.read_after(connection, 4, 2)
    assert [len(each) for each in feed.transactions(changes)] == [3]


async def test_old_changes_are_forgotten_but_for_those_unpublished_and_the_last(
    database: Database, old_shop: OldShop
) -> None:
    for number in range(4):
        await old_shop.product(f"book-{number}")
    await old_shop.execute("UPDATE bridge.change SET at = now() - interval '25 hours'")
    await old_shop.execute("UPDATE bridge.position SET id = 3")
    async with database.autocommit() as connection:
        await feed.forget_old(connection)
        await feed.advance(connection, 5, 0)
        assert [change.id for change in await feed.read_after(connection, 0, 10)] == [3, 4, 5]
        await feed.forget_old(connection)
        assert [change.id for change in await feed.read_after(connection, 0, 10)] == [5]


async def test_a_role_of_its_own_that_is_a_member_of_the_old_shop_s_is_enough(postgres_server: Any) -> None:
    suffix = secrets.token_hex(4)
    legacy, bridge, name = f"legacy_{suffix}", f"bridge_{suffix}", f"db_{suffix}"
    admin = await asyncpg.connect(postgres_server.url(), password=postgres_server.password)
    for role in (legacy, bridge):
        await admin.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'p'")
    await admin.execute(f"CREATE DATABASE {name} OWNER {legacy}")
    await admin.execute(f"GRANT {legacy} TO {bridge}")
    try:
        old = await asyncpg.connect(postgres_server.url(name, legacy), password="p")
        own = await asyncpg.connect(postgres_server.url(name, bridge), password="p")
        await old.execute(TABLES.read_text())
        await own.execute(importlib.resources.files("bridge").joinpath("capture.sql").read_text())
        sql = "INSERT INTO products (isbn, title, author, year, price, stock) VALUES ('x', 'x', 'x', 1, 1, 1)"
        await old.execute(sql)
        assert await own.fetchval("SELECT count(*) FROM bridge.change WHERE tbl = 'products'") == 1
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await old.fetchval("SELECT count(*) FROM bridge.change")
        await old.close()
        await own.close()
    finally:
        await admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
        for role in (bridge, legacy):
            await admin.execute(f"DROP ROLE {role}")
        await admin.close()
