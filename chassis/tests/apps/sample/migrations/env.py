"""Alembic's entry."""

from sample.storage import metadata

from chassis.migrate import run

run(metadata)
