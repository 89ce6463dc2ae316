"""Storage on real PostgreSQL: the lock, the outbox, the search, the migration."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from pydantic import SecretStr

from catalog import messaging
from catalog.domain import Book, BookExists, Description, Money, VersionMismatch
from catalog.settings import Settings
from catalog.storage import SqlStorage, metadata, outbox
from chassis import migrate
from chassis.storage import Database, DatabaseUnavailable, database_url

ISBN = "9799001000010"
EMMA = Book(ISBN, Description("Emma", "Jane Austen", 1815), Money(1299, "EUR"), 7)


async def add(storage: SqlStorage, *books: Book) -> None:
    async with storage.begin() as work:
        for book in books:
            await work.add(book)


async def outbox_rows(database: Database) -> int:
    async with database.autocommit() as connection:
        return int(await connection.scalar(sa.select(sa.func.count()).select_from(outbox)) or 0)


async def test_the_migrations_make_the_tables_that_the_code_believes_in(database: Database) -> None:
    def differences(connection: sa.Connection) -> list[Any]:
        return list(compare_metadata(MigrationContext.configure(connection), metadata))

    async with database.transaction() as connection:
        assert await connection.run_sync(differences) == []


async def add_as_before_numbers(database: Database, *isbns: str) -> None:
    """As the code at revision 0001 does."""
    written = """
        INSERT INTO books (isbn, title, author, year, price_amount, currency, version, title_key, author_key)
        VALUES (:isbn, 'Emma', 'Jane Austen', 1815, 1299, 'EUR', 1, 'emma', 'jane austen')
    """
    async with database.autocommit() as connection:
        await connection.execute(sa.text(written), [{"isbn": isbn} for isbn in isbns])


async def test_a_book_that_the_code_before_numbers_adds_gets_one(storage: SqlStorage, database: Database) -> None:
    """A new schema meets the old code for as long as a deployment takes."""
    await add_as_before_numbers(database, ISBN)
    book = await storage.read(ISBN)
    assert book is not None
    assert (book.number, book.legacy_version) == (1_000_001, 0)


async def test_books_from_before_there_were_numbers_get_theirs(make_database: Any, settings: Settings) -> None:
    access = await make_database("catalog", migrated=False)
    config = Config()
    config.set_main_option("script_location", "catalog:migrations")
    config.attributes["url"] = database_url(access.url, access.password)
    await asyncio.to_thread(command.upgrade, config, "0001")
    database = Database(
        settings.model_copy(update={"database_url": access.url, "database_password": SecretStr(access.password)})
    )
    await add_as_before_numbers(database, "1", "2", "3")
    await migrate.upgrade("catalog", access.url, access.password)
    page = await SqlStorage(database, messaging.to_message).numbered(0, 10, "")
    await database.stop()
    assert [book.number for book in page.books] == [1_000_001, 1_000_002, 1_000_003]


async def test_of_two_writers_who_loaded_one_version_the_second_is_refused(storage: SqlStorage) -> None:
    await add(storage, EMMA)
    both_have_loaded = asyncio.Barrier(2)

    async def reprice(amount: int) -> None:
        async with storage.begin() as work:
            book = await work.load(ISBN)
            await both_have_loaded.wait()
            assert book is not None
            await work.replace(book.reprice(Money(amount, "EUR")))

    async with asyncio.timeout(10):
        outcomes = await asyncio.gather(reprice(1), reprice(2), return_exceptions=True)
    assert {type(outcome) for outcome in outcomes} == {type(None), VersionMismatch}
    stored = await storage.read(ISBN)
    assert stored is not None
    assert (stored.version, stored.price.amount) == (2, 1 + outcomes.index(None))


async def test_a_book_cannot_be_added_twice(storage: SqlStorage) -> None:
    await add(storage, EMMA)
    with pytest.raises(BookExists):
        await add(storage, EMMA)


async def add_and_tell(storage: SqlStorage, *, then: Exception | None = None) -> None:
    async with storage.begin() as work:
        await work.add(EMMA)
        await work.publish(EMMA.changed())
        if then is not None:
            raise then


async def test_a_change_that_is_rolled_back_takes_its_event_along(storage: SqlStorage, database: Database) -> None:
    with pytest.raises(ZeroDivisionError):
        await add_and_tell(storage, then=ZeroDivisionError())
    assert await storage.read(ISBN) is None
    assert await outbox_rows(database) == 0
    await add_and_tell(storage)
    assert await outbox_rows(database) == 1


async def test_a_change_whose_event_cannot_be_stored_is_not_made(storage: SqlStorage, database: Database) -> None:
    async with database.autocommit() as connection:
        await connection.execute(sa.text("ALTER TABLE outbox RENAME TO outbox_gone"))
    with pytest.raises(DatabaseUnavailable):
        await add_and_tell(storage)
    assert await storage.read(ISBN) is None


SHELF = [
    ("Emma", "Jane Austen"),
    ("Pride and Prejudice", "Jane Austen"),
    ("Emma and Her Sisters: Letters", "Somebody"),
    ("The Biography of an Author", "Emma Smith"),
    ("Les Misérables", "Victor Hugo"),
    ("Jane Eyre", "Charlotte Brontë"),
    ("It", "Nobody"),
    ("Catch-22: A Novel", "J. Heller"),
    ("O'Hara's Choice", "Leon Uris"),
]


@pytest.fixture
async def shelf(storage: SqlStorage, isbn: Callable[[int], str]) -> SqlStorage:
    described = [Description(title, author, 1900) for title, author in SHELF]
    await add(storage, *(Book(isbn(n), d, Money(100, "EUR"), n + 1) for n, d in enumerate(described)))
    return storage


async def titles(storage: SqlStorage, query: str) -> list[str]:
    page = await storage.page(query, None, 100)
    return [book.description.title for book in page.books]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("aust", ["Emma", "Pride and Prejudice"]),
        ("AUSTEN pride", ["Pride and Prejudice"]),
        ("miserables", ["Les Misérables"]),
        ("Misérables", ["Les Misérables"]),
        ("bronte", ["Jane Eyre"]),
        ("it", ["It"]),
        ("22", ["Catch-22: A Novel"]),
        ("catch-22", ["Catch-22: A Novel"]),
        ("o'hara", ["O'Hara's Choice"]),
        ("prejudice -pride", ["Pride and Prejudice"]),
        ("sten", []),
        ("austen hugo", []),
        ("!!!", []),
    ],
)
async def test_every_word_begins_some_word_of_title_or_author(shelf: SqlStorage, query: str, found: list[str]) -> None:
    assert await titles(shelf, query) == found


async def test_the_best_match_comes_first(shelf: SqlStorage) -> None:
    assert await titles(shelf, "emma") == ["Emma", "Emma and Her Sisters: Letters", "The Biography of an Author"]


async def test_no_text_is_an_operator_of_the_search(shelf: SqlStorage) -> None:
    for text in (
        "emma:*|!(",
        "' OR 1=1 --",
        "\\",
        "emma & | !",
        "<->",
        ":*",
        "''",
        "emma\\'",
        "%",
        "\U0001d4b3 \ud7ff \u202e",
    ):
        await titles(shelf, text)


async def test_without_words_to_search_books_come_by_title(shelf: SqlStorage) -> None:
    page = await shelf.page(None, None, 100)
    listed = [book.description.title for book in page.books]
    assert listed[:3] == ["Catch-22: A Novel", "Emma", "Emma and Her Sisters: Letters"]
    assert listed[-2:] == ["Pride and Prejudice", "The Biography of an Author"]
