"""An order's number: given as it is added, to every order, by whatever release."""

import asyncio
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest
from alembic import command
from alembic.config import Config

from chassis.migrate import upgrade
from chassis.storage import database_url
from orders.storage.tables import FIRST_NUMBER

CUSTOMER = UUID("01957c3e-0f00-7000-8000-0000000000c1")
# As the release before writes it.
INSERT = """
    INSERT INTO orders
        (id, customer_id, state, lines, total_amount, currency, price_source, placed_at, updated_at, version)
    VALUES ($1, $1, 'confirmed', '[]', 1, 'EUR', 'catalog', now(), now(), 2)
"""


async def test_orders_are_numbered_above_all_of_the_old_shop(shop: Any) -> None:
    placed = [(await shop.place(CUSTOMER)).json() for _ in range(3)]
    assert [order["number"] for order in placed] == [FIRST_NUMBER, FIRST_NUMBER + 1, FIRST_NUMBER + 2]
    assert {order["origin"] for order in placed} == {"shop"}


async def test_an_order_is_found_by_its_number_by_its_customer_and_operators_only(shop: Any) -> None:
    order = (await shop.place(CUSTOMER)).json()
    path = f"/api/orders/by-number/{order['number']}"
    assert (await shop.client.get(path, headers=shop.headers(CUSTOMER))).json() == order
    assert (await shop.client.get(path, headers=shop.headers(uuid4(), None, "operator"))).json() == order
    assert (await shop.client.get(path, headers=shop.headers(uuid4()))).status_code == 404
    assert (await shop.client.get("/api/orders/by-number/7", headers=shop.headers(CUSTOMER))).status_code == 404


@pytest.mark.parametrize("number", ["0", "-1", str(2**63), "seven"])
async def test_what_can_be_no_number_is_refused(shop: Any, number: str) -> None:
    answer = await shop.client.get(f"/api/orders/by-number/{number}", headers=shop.headers(CUSTOMER))
    assert answer.status_code == 422


async def test_the_migration_numbers_old_orders_as_they_were_placed_and_those_of_the_release_before(
    make_database: Any,
) -> None:
    database = await make_database("orders", migrated=False)
    config = Config()
    config.set_main_option("script_location", "orders:migrations")
    config.set_main_option("path_separator", "os")
    config.attributes["url"] = database_url(database.url, database.password)
    await asyncio.to_thread(command.upgrade, config, "0001")
    connection = await asyncpg.connect(database.url, password=database.password)
    for number in (2, 3, 1):
        await connection.execute(INSERT, UUID(int=number))
    await upgrade("orders", database.url, database.password)
    await connection.execute(INSERT, UUID(int=0))
    rows = await connection.fetch("SELECT id, number FROM orders ORDER BY number")
    await connection.close()
    assert [(row["id"].int, row["number"] - FIRST_NUMBER) for row in rows] == [(1, 0), (2, 1), (3, 2), (0, 3)]
