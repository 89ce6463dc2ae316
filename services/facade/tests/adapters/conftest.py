"""Fixtures: the old shop over a real database, the new services at the transport, with the same books and customers."""

import asyncio
import csv
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import httpx
import pytest

from chassis.shared_key import SharedKey
from conftest import MakeDatabase
from facade.adapters import adapt
from facade.adapters.session import Sessions
from facade.shop_clients import ShopClients, connect
from legacy.accounts import Accounts
from legacy.app import create_app
from legacy.db import Pool
from legacy.db import connect as connect_old
from legacy.install import install
from legacy.settings import PACKAGED_PRODUCTS, DatabaseSettings
from legacy.shop import Shop
from services.facade.tests.adapters.both_shops import SESSION_KEY, BothShops, Cards, NewSide, Noted, OldShop
from services.facade.tests.adapters.new_shop import ADDRESSES, EXCHANGE_KEY, Account, NewShop

# An evening in summer: in Berlin it is the next day already.
NOW = datetime(2026, 6, 30, 22, 5, 33, 999999, tzinfo=UTC)
BERLIN_NOW = datetime(2026, 7, 1, 0, 5, 33, 999999)  # noqa: DTZ001 - what the old shop's tables hold
PASSWORD = "correct horse"
SOLD_OUT = 5


@pytest.fixture
def shop() -> NewShop:
    """The printed list on the shelves, one of its books sold out, and nobody registered."""
    made = NewShop(now=lambda: NOW)
    with PACKAGED_PRODUCTS.open(newline="", encoding="utf-8") as file:
        for number, row in enumerate(csv.DictReader(file), 1):
            price = {"amount": int(row["price_minor"]), "currency": "EUR"}
            described = {"title": row["title"], "author": row["author"], "year": int(row["year"])}
            made.books[number] = {"isbn": row["isbn"], "number": number, **described, "price": price, "version": 1}
            made.stock[row["isbn"]] = 0 if number == SOLD_OUT else int(row["stock"])
    return made


@pytest.fixture
async def clients(shop: NewShop) -> AsyncIterator[ShopClients]:
    made = connect(ADDRESSES, SharedKey(lambda: EXCHANGE_KEY), transport=httpx.MockTransport(shop))
    for part in made.parts:
        await part.start()
    yield made
    for part in made.parts:
        await part.stop()


@pytest.fixture
async def pool(make_database: MakeDatabase) -> AsyncIterator[Pool]:
    made = await make_database("legacy", migrated=False)
    await asyncio.to_thread(install, DatabaseSettings(made.url, made.password))
    pool = connect_old(made.url, made.password, 4)
    with pool.connection() as db:
        db.execute("UPDATE products SET stock = 0 WHERE id = %s", (SOLD_OUT,))
    yield pool
    pool.close()


@pytest.fixture
def old(pool: Pool) -> OldShop:
    def now() -> datetime:
        return BERLIN_NOW

    return OldShop(create_app(Shop(pool, Cards(), now), Accounts(pool, now), SESSION_KEY))


@pytest.fixture
def noted() -> Noted:
    return Noted()


@pytest.fixture
def both(pool: Pool, old: OldShop, shop: NewShop, clients: ShopClients, noted: Noted) -> BothShops:
    """Both sides, with Ann and Bob as customers on both."""
    accounts = Accounts(pool, lambda: BERLIN_NOW)
    for name in ("Ann", "Bob"):
        row = accounts.register(f"{name.lower()}@example.com", name, PASSWORD)
        shop.accounts.append(Account(row["id"], row["email"], row["name"], PASSWORD))
    adapters = adapt(clients, Sessions(SESSION_KEY), legacy=old, old_shop=lambda: old, placed=noted, seeded=noted)
    return BothShops(old, NewSide(adapters), shop, noted)
