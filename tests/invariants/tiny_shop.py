"""A shop of three orders, written straight into real databases and a real stream. All its books balance, until a test
sees to it that they do not."""

import secrets
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import asyncpg
import nats
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig, StreamConfig

from chassis.messages import Message
from tests.invariants.access import DATABASES, Access
from tests.invariants.snapshot import take
from tests.invariants.table import examine
from tests.invariants.tiny_rows import LISTENERS, MESSAGES, NAMES, ROWS

OUTBOX = "INSERT INTO outbox (message_id, type, aggregate, payload, published_at) VALUES ($1, $2, $3, $4, now())"
INBOX = "INSERT INTO inbox (message_id) VALUES ($1)"


@dataclass(frozen=True)
class TinyShop:
    """The shop and the auditor's way into it."""

    access: Access

    @classmethod
    async def open(cls, access: Access) -> "TinyShop":
        """Empty the databases, make a stream of its own, and put everything in its place."""
        shop = cls(access)
        messages = [Message.new(f"{access.namespace}.{name}", of, version, {}) for name, of, version in MESSAGES]
        for database, statements in ROWS.items():
            await shop.execute(database, *statements, messages=messages)
        await shop.jetstream(lambda jetstream: shop._fill_stream(jetstream, messages))
        return shop

    async def execute(self, database: str, *statements: str, messages: Sequence[Message] = ()) -> None:
        """Write to a database; `{emma}` and the other names stand for ISBNs and ids. Messages go in and out of it."""
        url = self.access.postgres.format(database=database)
        connection = await asyncpg.connect(url, password=self.access.postgres_password)
        try:
            await connection.execute(";".join(statement.format_map(NAMES) for statement in statements))
            written = [(m.id, m.type, m.subject, m.encode()) for m in messages if m.source == f"/{database}"]
            heard = [(m.id,) for m in messages if self._hears(database, m)]
            for statement, rows in ((OUTBOX, written), (INBOX, heard)):
                if rows:
                    await connection.executemany(statement, rows)
        finally:
            await connection.close()

    async def violated(self) -> dict[str, Sequence[str]]:
        """The invariants that do not hold, with what was found."""
        findings = examine(await take(self.access))
        return {finding.invariant: finding.violations for finding in findings if finding.violations}

    async def jetstream(self, act: Callable[[JetStreamContext], Awaitable[object]]) -> None:
        """Call `act` with a connection of its own."""
        bus = await nats.connect(self.access.nats, user=self.access.nats_user, password=self.access.nats_password)
        try:
            await act(bus.jetstream())
        finally:
            await bus.close()

    async def close(self) -> None:
        """Delete the streams."""
        for stream in (self.access.stream, self.access.dead_stream):
            await self.jetstream(lambda jetstream, stream=stream: jetstream.delete_stream(stream))  # type: ignore[misc]

    def _hears(self, service: str, message: Message) -> bool:
        return message.type.removeprefix(f"{self.access.namespace}.") in LISTENERS.get(service, ())

    async def _fill_stream(self, jetstream: JetStreamContext, messages: Sequence[Message]) -> None:
        access = self.access
        for name, subject in (
            (access.stream, f"{access.namespace}.>"),
            (access.dead_stream, f"dead.{access.namespace}.>"),
        ):
            await jetstream.add_stream(StreamConfig(name=name, subjects=[subject], max_age=3600))
        for message in messages:
            await jetstream.publish(message.type, message.encode(), headers={"Nats-Msg-Id": str(message.id)})
        for service, subjects in LISTENERS.items():
            filters = [f"{access.namespace}.{subject}" for subject in subjects]
            config = ConsumerConfig(durable_name=service, filter_subjects=filters, ack_policy=AckPolicy.EXPLICIT)
            await jetstream.add_consumer(access.stream, config)
            listener = await jetstream.pull_subscribe_bind(consumer=service, stream=access.stream)
            for raw in await listener.fetch(sum(self._hears(service, message) for message in messages)):
                await raw.ack_sync()


async def make_databases(server_url: str, password: str, prefix: str) -> None:
    """The services' databases, migrated, and without the constraints that keep most violations from being written."""
    from chassis.migrate import upgrade

    server = await asyncpg.connect(f"{server_url}/postgres", password=password)
    for name in DATABASES:
        url = f"{server_url}/{prefix}{name}"
        await server.execute(f"CREATE DATABASE {prefix}{name}")
        await upgrade(name, url, password)
        own = await asyncpg.connect(url, password=password)
        found = await own.fetch(
            "SELECT conrelid::regclass AS of, conname AS name FROM pg_constraint"
            " WHERE connamespace = 'public'::regnamespace AND contype IN ('c', 'f', 'u')"
        )
        for constraint in found:
            await own.execute(f"ALTER TABLE {constraint['of']} DROP CONSTRAINT {constraint['name']}")
        await own.close()
    await server.close()


async def drop_databases(server_url: str, password: str, prefix: str) -> None:
    """What `make_databases` has made."""
    server = await asyncpg.connect(f"{server_url}/postgres", password=password)
    for name in DATABASES:
        await server.execute(f"DROP DATABASE {prefix}{name} WITH (FORCE)")
    await server.close()


def new_namespace() -> str:
    """For a stream that no other test has."""
    return "t" + "".join(secrets.choice("abcdefgh") for _ in range(10))
