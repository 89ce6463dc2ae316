"""Alembic's entry: the chassis runs the migrations."""

from catalog.storage import metadata
from chassis.migrate import run

run(metadata)
