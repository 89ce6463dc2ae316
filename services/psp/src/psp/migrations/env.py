"""Alembic's entry."""

from chassis.migrate import run
from psp.storage import metadata

run(metadata)
