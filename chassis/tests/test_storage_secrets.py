"""What an error of the database tells the log."""

from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from chassis.settings import DatabaseSettings
from chassis.storage import Database

if TYPE_CHECKING:
    from conftest import MakeDatabase


async def test_a_failed_statement_does_not_repeat_its_parameters(make_database: "MakeDatabase") -> None:
    made = await make_database("secretive", migrated=False)
    database = Database(DatabaseSettings(database_url=made.url, database_password=made.password))
    with pytest.raises(sa.exc.DBAPIError) as caught:
        async with database.transaction() as connection:
            await connection.execute(sa.text("SELECT 1 / (length(:secret) - 6)"), {"secret": "hidden"})
    await database.stop()
    assert "division by zero" in str(caught.value)
    assert "hidden'" not in str(caught.value)
