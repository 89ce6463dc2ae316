"""Alembic's entry."""

from chassis.migrate import run
from sample.storage import metadata

run(metadata)
