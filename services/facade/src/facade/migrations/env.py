"""Alembic's entry."""

from chassis.migrate import run
from facade.storage.tables import metadata

run(metadata)
