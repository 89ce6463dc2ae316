"""A second revision, so that a database can stand at an older one."""

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Nothing: only the number matters to the tests."""
