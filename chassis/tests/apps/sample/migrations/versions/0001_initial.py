"""The tables of the sample service."""

from alembic import op
from sample.storage import metadata

revision = "0001"
down_revision = None


def upgrade() -> None:
    # Not frozen as a service's migrations are: this database never outlives a test.
    metadata.create_all(op.get_bind())
