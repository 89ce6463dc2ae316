"""Inbox: the ids of the messages that have taken effect, written in the transaction of the effect.

JetStream's own de-duplication forgets after two minutes and the stream delivers at least once; this row is the guard.
"""

from datetime import timedelta
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

RETENTION = timedelta(days=7)  # longer than the stream keeps a message


class AlreadyHandled(Exception):
    """The message took effect before; roll back and acknowledge it."""


def inbox_table(metadata: sa.MetaData) -> sa.Table:
    """The table's definition, for a service's metadata and migration."""
    return sa.Table(
        "inbox",
        metadata,
        sa.Column("message_id", sa.Uuid, primary_key=True),
        sa.Column("handled_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now(), index=True),
    )


class Inbox:
    """Accepts each message once."""

    def __init__(self, table: sa.Table) -> None:
        self._insert = insert(table).on_conflict_do_nothing().returning(table.c.message_id)
        self._forget = sa.delete(table).where(table.c.handled_at < sa.func.now() - RETENTION)

    async def accept(self, connection: AsyncConnection, message_id: UUID) -> None:
        """Claim the message within the open transaction; raises `AlreadyHandled` when it was claimed before."""
        if await connection.scalar(self._insert, {"message_id": message_id}) is None:
            raise AlreadyHandled(str(message_id))

    async def forget_old(self, connection: AsyncConnection) -> None:
        """Delete the ids of messages that the stream no longer holds."""
        await connection.execute(self._forget)
