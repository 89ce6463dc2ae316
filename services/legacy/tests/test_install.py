"""The installation: tables once, books once."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from conftest import MakeDatabase
from deploy.local.seed import BOOKS
from legacy.db import connect
from legacy.install import install
from legacy.settings import PACKAGED_PRODUCTS, DatabaseSettings
from services.legacy.tests.fakes import rows


def test_both_shops_begin_with_the_same_books() -> None:
    assert PACKAGED_PRODUCTS.read_bytes() == BOOKS.read_bytes()


def test_books_have_the_numbers_of_their_lines_and_decimal_prices(database: DatabaseSettings) -> None:
    with connect(database.database_url, database.database_password, 1) as pool:
        (first, *_, last) = rows(pool, "SELECT id, isbn, price::text, stock FROM products ORDER BY id")
    assert first == {"id": 1, "isbn": "9799001000010", "price": "24.99", "stock": 1000}
    assert last["id"] == 317


def test_a_second_installation_changes_nothing(database: DatabaseSettings) -> None:
    with connect(database.database_url, database.database_password, 1) as pool:
        with pool.connection() as db:
            db.execute("UPDATE products SET stock = 3 WHERE id = 12")
        assert install(database) == 0
        assert rows(pool, "SELECT stock FROM products WHERE id = 12") == [{"stock": 3}]


async def test_two_installations_at_once_load_the_books_once(make_database: MakeDatabase) -> None:
    made = await make_database("legacy", migrated=False)
    settings = DatabaseSettings(made.url, made.password)
    with ThreadPoolExecutor(4) as threads:
        assert sorted(threads.map(install, [settings] * 4)) == [0, 0, 0, 317]


async def test_another_list_can_be_named(make_database: MakeDatabase, tmp_path: Path) -> None:
    made = await make_database("legacy", migrated=False)
    file = tmp_path / "two.csv"
    file.write_text("isbn,title,author,year,price_minor,stock\n1,A,B,-400,5,0\n2,C,D,2000,100000,1\n")
    settings = DatabaseSettings(made.url, made.password, file)
    assert install(settings) == 2
    assert install(replace(settings, products_csv=PACKAGED_PRODUCTS)) == 0
