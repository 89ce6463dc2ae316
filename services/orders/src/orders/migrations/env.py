"""Alembic's entry."""

from chassis.migrate import run
from orders.storage.tables import metadata

run(metadata)
