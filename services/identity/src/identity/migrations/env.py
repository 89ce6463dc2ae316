"""Alembic's entry."""

from chassis.migrate import run
from identity.storage import metadata

run(metadata)
