"""The snapshot: complete and never stale, though it is killed again and again while the old shop goes on writing."""

import asyncio
import contextlib
import hashlib
import os
import random
import signal
import sys
from collections import Counter
from decimal import Decimal
from typing import Any

import pytest

from bridge.capture import Capture
from bridge.copying import Snapshot
from bridge.publish import Publisher
from bridge.sealing import Sealer
from bridge.settings import Settings, decode_key
from bridge.translate import Translator
from chassis.bus import Bus
from chassis.messages import Message
from chassis.storage import Database
from services.bridge.tests.fakes import FakeBus, OldShop, until

# 100,000 rows and 10 kills are for a machine that nobody waits for.
ROWS = int(os.environ.get("BRIDGE_SNAPSHOT_ROWS", "3000"))
KILLS = int(os.environ.get("BRIDGE_SNAPSHOT_KILLS", "3"))
CHUNK = max(100, ROWS // 40)

Books = dict[str, tuple[Any, ...]]


class Hearer:
    """A consumer that keeps the newest version of each row, as the new shop's services do."""

    def __init__(self) -> None:
        self.rows: dict[tuple[str, str], Message] = {}
        self.heard: Counter[str] = Counter()

    def hear(self, message: Message) -> None:
        kind = message.type.split(".")[2]
        self.heard[kind] += 1
        known = self.rows.get((kind, message.subject))
        if known is None or message.version > known.version:
            self.rows[kind, message.subject] = message

    def of(self, kind: str) -> list[Message]:
        return [message for (what, _), message in self.rows.items() if what == f"legacy-{kind}-changed"]

    def books(self) -> Books:
        return {
            m.data["isbn"]: (m.data["number"], m.data["title"], Decimal(m.data["price"]["amount"]) / 100)
            for m in self.of("book")
        }


def checksum(books: Books) -> tuple[int, str]:
    text = "\n".join(f"{isbn} {number} {title} {price:.2f}" for isbn, (number, title, price) in sorted(books.items()))
    return len(books), hashlib.sha256(text.encode()).hexdigest()


async def fill(old_shop: OldShop, rows: int) -> None:
    """Shelves from before bridge came: nothing of it is among the recorded changes."""
    await old_shop.execute("ALTER TABLE products DISABLE TRIGGER USER; ALTER TABLE customers DISABLE TRIGGER USER")
    await old_shop.execute(
        "INSERT INTO products (isbn, title, author, year, price, stock)"
        " SELECT 9780000000000 + n, 'Book ' || n, 'Somebody', 1900, 10 + n % 50, 100"
        " FROM generate_series(1, $1::int) n",
        rows,
    )
    await old_shop.execute(
        "INSERT INTO customers (email, name, salt, password, created)"
        " SELECT n || '@example.org', 'Reader', 'saltsalt', repeat('0', 40), timestamp '2020-01-01'"
        " FROM generate_series(1, $1::int) n",
        max(1, rows // 20),
    )
    await old_shop.execute("ALTER TABLE products ENABLE TRIGGER USER; ALTER TABLE customers ENABLE TRIGGER USER")


async def write(old_shop: OldShop, rows: int) -> None:
    """The old shop at work: prices change and books are sold, all over the shelves."""
    chance = random.Random(4)
    while True:
        number = chance.randint(1, rows)
        await old_shop.execute("UPDATE products SET price = price + 1 WHERE id = $1", number)
        await old_shop.checkout(chance.randint(1, max(1, rows // 20)), {number: 1})
        await asyncio.sleep(0.01)


async def run_and_kill(settings: Settings, old_shop: OldShop) -> bool:
    """Start the command and kill it once it has got on; False when it had ended by itself."""
    before = await copied(old_shop)
    process = await start(settings)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(60):
            while await copied(old_shop) <= before and process.returncode is None:
                await asyncio.sleep(0.002)
    if process.returncode is None:
        process.kill()
    return await process.wait() != 0


async def start(settings: Settings, stderr: int | None = None) -> asyncio.subprocess.Process:
    login = settings.nats_user, settings.nats_password
    assert login[0] is not None
    assert login[1] is not None
    environment = {
        "PATH": os.environ["PATH"],
        "PORT": "0",
        "DATABASE_URL": settings.database_url,
        "DATABASE_PASSWORD": settings.database_password.get_secret_value(),
        "NATS_URL": settings.nats_url,
        "NATS_USER": login[0],
        "NATS_PASSWORD": login[1].get_secret_value(),
        "BRIDGE_KEY": settings.bridge_key.get_secret_value(),
        "HASH_KEY": settings.hash_key.get_secret_value(),
        "SNAPSHOT_CHUNK": str(CHUNK),
        "LOG_LEVEL": "WARNING",
    }
    command = (sys.executable, "-m", "bridge.snapshot")
    return await asyncio.create_subprocess_exec(
        *command, env=environment, stdout=asyncio.subprocess.PIPE, stderr=stderr
    )


async def copied(old_shop: OldShop) -> int:
    return int(await old_shop.value("SELECT coalesce(sum(rows), 0) FROM bridge.snapshot"))


async def hear_all(bus: Bus) -> Hearer:
    """Everything that is in the stream by now."""
    hearer = Hearer()
    jetstream = await bus.jetstream()
    subscription = await jetstream.subscribe("shop.bridge.>", stream=bus.stream, ordered_consumer=True)
    left = (await jetstream.stream_info(bus.stream)).state.messages
    for _ in range(left):
        hearer.hear(Message.decode((await subscription.next_msg(10)).data))
    return hearer


@pytest.mark.timeout(120 if ROWS <= 10_000 else 3600)
async def test_killed_again_and_again_while_the_old_shop_writes_it_brings_every_row_as_it_is_now(
    on_bus: Settings, database: Database, old_shop: OldShop
) -> None:
    await fill(old_shop, ROWS)
    bus, capture = Bus(on_bus, "bridge"), Capture(database)
    publisher = Publisher(database, capture, Translator(Sealer(decode_key(on_bus.hash_key))), bus)
    parts = bus, capture, publisher
    for part in parts:
        await part.start()
    writing = asyncio.create_task(write(old_shop, ROWS))
    try:
        killed = [await run_and_kill(on_bus, old_shop) for _ in range(KILLS)]
        assert all(killed), "it ended before it could be killed: give it more rows"
        process = await start(on_bus)
        output, _ = await process.communicate()
        assert (process.returncode, output.decode().count("done")) == (0, 3)
        writing.cancel()
        await until(lambda: published(old_shop))
        hearer = await hear_all(bus)
    finally:
        writing.cancel()
        for part in reversed(parts):
            await part.stop()
    rows = await old_shop.pool.fetch("SELECT isbn, id, title, price FROM products")
    assert checksum(hearer.books()) == checksum({row[0]: tuple(row)[1:] for row in rows})
    assert len(hearer.of("customer")) == await old_shop.value("SELECT count(*) FROM customers")
    assert len(hearer.of("order")) == await old_shop.value("SELECT count(*) FROM orders")
    assert hearer.heard["legacy-book-changed"] <= ROWS * 2, "it did not begin anew each time"


async def test_an_interrupted_one_says_in_a_line_how_to_go_on(
    on_bus: Settings, database: Database, old_shop: OldShop
) -> None:
    await fill(old_shop, 3000)
    process = await start(on_bus, asyncio.subprocess.PIPE)
    async with asyncio.timeout(60):
        while not await copied(old_shop):
            await asyncio.sleep(0.002)
        process.send_signal(signal.SIGINT)
        _, errors = await process.communicate()
    line = "snapshot: interrupted; start it again, it goes on where it was\n"
    assert (process.returncode, errors.decode()) == (130, line)


async def published(old_shop: OldShop) -> bool:
    return bool(await old_shop.value("SELECT max(c.id) = min(p.id) FROM bridge.change c, bridge.position p"))


@pytest.fixture
def translator(settings: Settings) -> Translator:
    return Translator(Sealer(decode_key(settings.hash_key)))


async def test_a_row_that_changes_while_its_chunk_is_on_its_way_has_the_higher_version(
    database: Database, old_shop: OldShop, translator: Translator
) -> None:
    await old_shop.product("a", "10.00")

    class Overtaking(FakeBus):
        """The old shop changes the price while the snapshot's message is on its way."""

        async def publish(self, subject: str, message_id: str, payload: bytes) -> None:
            await old_shop.execute("UPDATE products SET price = 20")
            await super().publish(subject, message_id, payload)

    late, stream = Overtaking(), FakeBus()
    await Snapshot(database, late, translator, 10).run(Silent())
    async with database.session() as connection:
        await Publisher(database, Capture(database), translator, stream).publish_batch(connection)
    hearer = Hearer()
    for message in stream.told("book-changed") + late.told("book-changed"):
        hearer.hear(message)
    assert hearer.books()["a"][2] == 20


async def test_it_tells_what_was_ever_received_and_leaves_out_what_is_the_new_shop_s(
    database: Database, old_shop: OldShop, translator: Translator
) -> None:
    emma, ann = await old_shop.product("a", stock=10), await old_shop.customer()
    await old_shop.checkout(ann, {emma: 2})
    await old_shop.checkout(ann, {emma: 3}, "X")
    await old_shop.execute("INSERT INTO products VALUES (1000001, 'b', 'Ours', 'We', 2026, 1, 0)")
    await old_shop.execute("INSERT INTO orders VALUES (1000001, $1, 'P', 1, now())", ann)
    bus = FakeBus()
    await Snapshot(database, bus, translator, 10).run(Silent())
    (book,) = bus.told("book-changed")
    assert (book.subject, book.data["received"]) == ("a", 10)
    assert sorted(order.data["status"] for order in bus.told("order-changed")) == ["cancelled", "confirmed"]
    assert len(bus.told("customer-changed")) == 1
    watermark = await old_shop.value("SELECT max(id) FROM bridge.change")
    assert {message.version for message in bus.published} == {watermark}


async def test_a_chunk_whose_answer_was_lost_is_told_again_under_the_same_ids(
    database: Database, old_shop: OldShop, translator: Translator
) -> None:
    await old_shop.product("a")
    bus = FakeBus(lose=1)
    snapshot = Snapshot(database, bus, translator, 10)
    await snapshot.run(Silent())
    first, second = bus.told("book-changed")
    assert first.id == second.id
    await snapshot.run(Silent())
    assert len(bus.published) == 2, "what is done is not done again"
    await snapshot.restart()
    await snapshot.run(Silent())
    assert len(bus.published) == 3


async def test_another_process_goes_on_at_the_chunk_at_which_the_last_one_died(
    database: Database, old_shop: OldShop, translator: Translator
) -> None:
    for number in range(25):
        await old_shop.product(f"book-{number:02}")

    class Dying(FakeBus):
        async def publish(self, subject: str, message_id: str, payload: bytes) -> None:
            if len(self.published) == 15:
                raise MemoryError
            await super().publish(subject, message_id, payload)

    with pytest.raises(MemoryError):
        await Snapshot(database, Dying(), translator, 10).run(Silent())
    second = FakeBus()
    await Snapshot(database, second, translator, 10).run(Silent())
    assert [message.subject for message in second.published] == [f"book-{number:02}" for number in range(10, 25)]


class Silent:
    """Shows nothing."""

    def began(self, table: str, rows: int, total: int) -> None: ...
    def moved(self, table: str, rows: int) -> None: ...
    def ended(self, table: str, rows: int) -> None: ...
