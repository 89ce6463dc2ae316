"""Alembic's entry."""

from chassis.migrate import run
from payments.storage import metadata

run(metadata)
