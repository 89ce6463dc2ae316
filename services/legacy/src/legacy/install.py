"""`python -m legacy.install`: make the tables, and fill the empty shelves from a CSV file. Can be run again."""

import csv
import sys
from pathlib import Path

from psycopg import Connection
from psycopg.conninfo import make_conninfo

from legacy.settings import DatabaseSettings, load

_SCHEMA = Path(__file__).with_name("schema.sql")
# Two installations at once would both find no table and trip over each other.
_LOCK = "SELECT pg_advisory_xact_lock(20091124)"
_PRODUCT = "INSERT INTO products (isbn, title, author, year, price, stock) VALUES (%s, %s, %s, %s, %s / 100.0, %s)"


def main() -> None:
    """What the command does."""
    filled = install(load(DatabaseSettings))
    sys.stderr.write(f"legacy: tables are there, {filled} products loaded\n")


def install(settings: DatabaseSettings) -> int:
    """Returns how many products were loaded: none where there are some already."""
    with Connection.connect(make_conninfo(settings.database_url, password=settings.database_password)) as db:
        db.execute(_LOCK)
        db.execute(_SCHEMA.read_bytes())
        if db.execute("SELECT 1 FROM products LIMIT 1").fetchone():
            return 0
        products = _read(settings.products_csv)
        db.cursor().executemany(_PRODUCT, products)
        return len(products)


def _read(path: Path) -> list[tuple[str, str, str, int, int, int]]:
    with path.open(newline="", encoding="utf-8") as file:
        return [
            (row["isbn"], row["title"], row["author"], int(row["year"]), int(row["price_minor"]), int(row["stock"]))
            for row in csv.DictReader(file)
        ]


if __name__ == "__main__":
    main()
