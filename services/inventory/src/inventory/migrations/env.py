"""Alembic's entry; run by `python -m chassis.migrate inventory`."""

from chassis.migrate import run
from inventory.storage import metadata

run(metadata)
