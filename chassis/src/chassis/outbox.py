"""Outbox: messages are stored in the transaction of the change that they tell of, and published afterwards.

Publishing inside the transaction would tell of changes that are then rolled back; publishing after it would lose the
message when the process dies in between.
"""

from datetime import timedelta

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.messages import Message

RETENTION = timedelta(days=1)  # JetStream acknowledges before fsync in a cluster: a day can be published again


def outbox_table(metadata: sa.MetaData) -> sa.Table:
    """The table's definition, for a service's metadata and migration."""
    table = sa.Table(
        "outbox",
        metadata,
        sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
        sa.Column("message_id", sa.Uuid, nullable=False, unique=True),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("aggregate", sa.Text, nullable=False),
        sa.Column("payload", sa.LargeBinary, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
        sa.Column("published_at", sa.DateTime(timezone=True)),
    )
    sa.Index("outbox_unpublished", table.c.id, postgresql_where=table.c.published_at.is_(None))
    return table


class Outbox:
    """Writes messages; the relay reads them."""

    def __init__(self, table: sa.Table) -> None:
        self.table = table
        self._insert = insert(table)  # rows as parameters: `values(rows)` is compiled anew at every call

    async def add(self, connection: AsyncConnection, *messages: Message) -> None:
        """Store the messages within the open transaction, in the order given."""
        rows = [{"message_id": m.id, "type": m.type, "aggregate": m.subject, "payload": m.encode()} for m in messages]
        if rows:
            await connection.execute(self._insert, rows)
