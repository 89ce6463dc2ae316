"""Tables of the sample service."""

import sqlalchemy as sa

from chassis.idempotency import idempotency_table
from chassis.inbox import inbox_table
from chassis.outbox import outbox_table

metadata = sa.MetaData()
note = sa.Table(
    "note",
    metadata,
    sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
    sa.Column("text", sa.Text, nullable=False),
)
outbox = outbox_table(metadata)
inbox = inbox_table(metadata)
keys = idempotency_table(metadata)
