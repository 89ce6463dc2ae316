"""Alembic's entry."""

from chassis.migrate import run
from orders.storage import metadata

run(metadata)
