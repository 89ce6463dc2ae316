"""A shop of three orders, written straight into real databases and a real stream. All its books balance, until a test
sees to it that they do not. One that replaces an old shop has that one's orders besides, and that one's database."""

import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

import asyncpg
import nats
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig, StreamConfig

from chassis.messages import Message
from deploy.local.place import ROOT
from tests.invariants.access import DATABASES, OLD_SHOP, Access
from tests.invariants.of_messages import PASSED_OVER
from tests.invariants.snapshot import take
from tests.invariants.table import Finding, examine
from tests.invariants.tiny_rows import (
    LISTENERS,
    MESSAGES,
    NAMES,
    OLD_LISTENERS,
    OLD_MESSAGES,
    OLD_ROWS,
    ROWS,
)

OUTBOX = "INSERT INTO outbox (message_id, type, aggregate, payload, published_at) VALUES ($1, $2, $3, $4, now())"
INBOX = "INSERT INTO {inbox} (message_id) VALUES ($1)"
OLD_SCHEMAS = ("services/legacy/src/legacy/schema.sql", "services/bridge/src/bridge/capture.sql")


@dataclass(frozen=True)
class TinyShop:
    """The shop and the auditor's way into it."""

    access: Access
    replacing: bool = False

    @classmethod
    async def open(cls, access: Access, *, replacing: bool = False) -> "TinyShop":
        """Empty the databases, make a stream of its own, and put everything in its place."""
        shop = cls(access, replacing)
        named = (*MESSAGES, *OLD_MESSAGES) if replacing else MESSAGES
        messages = [Message.new(f"{access.namespace}.{name}", of, version, {}) for name, of, version in named]
        if replacing:  # a test may have taken the bridge out
            await make_old_shop(access.postgres.format(database=OLD_SHOP), access.postgres_password)
        for database in (*ROWS, OLD_SHOP) if replacing else ROWS:
            statements = (*ROWS.get(database, ()), *(OLD_ROWS.get(database, ()) if replacing else ()))
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
            service, inbox = ("bridge", "bridge.inbox") if database == OLD_SHOP else (database, "inbox")
            heard = [(m.id,) for m in messages if self._hears(service, m) and (service, self._name(m)) != PASSED_OVER]
            for statement, rows in ((OUTBOX, written), (INBOX.format(inbox=inbox), heard)):
                if rows:
                    await connection.executemany(statement, rows)
        finally:
            await connection.close()

    async def violated(self) -> dict[str, Sequence[str]]:
        """The invariants that do not hold, with what was found."""
        return {finding.invariant: finding.violations for finding in await self.findings() if finding.violations}

    async def findings(self) -> list[Finding]:
        """What comes of all invariants."""
        return examine(await take(self.access))

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
        return self._name(message) in self._listeners.get(service, ())

    def _name(self, message: Message) -> str:
        return message.type.removeprefix(f"{self.access.namespace}.")

    @property
    def _listeners(self) -> Mapping[str, Sequence[str]]:
        return {**LISTENERS, **OLD_LISTENERS} if self.replacing else LISTENERS

    async def _fill_stream(self, jetstream: JetStreamContext, messages: Sequence[Message]) -> None:
        access = self.access
        for name, subject in (
            (access.stream, f"{access.namespace}.>"),
            (access.dead_stream, f"dead.{access.namespace}.>"),
        ):
            await jetstream.add_stream(StreamConfig(name=name, subjects=[subject], max_age=3600))
        for message in messages:
            await jetstream.publish(message.type, message.encode(), headers={"Nats-Msg-Id": str(message.id)})
        for service, subjects in self._listeners.items():
            filters = [f"{access.namespace}.{subject}" for subject in subjects]
            config = ConsumerConfig(durable_name=service, filter_subjects=filters, ack_policy=AckPolicy.EXPLICIT)
            await jetstream.add_consumer(access.stream, config)
            listener = await jetstream.pull_subscribe_bind(consumer=service, stream=access.stream)
            waiting = sum(self._hears(service, message) for message in messages)
            for raw in await listener.fetch(waiting) if waiting else ():
                await raw.ack_sync()


async def make_databases(server_url: str, password: str, prefix: str, *, replacing: bool = False) -> None:
    """The services' databases, migrated, and without the constraints that keep most violations from being written.

    With `replacing` also the old shop's, with the bridge in it, whose triggers record nothing here.
    """
    from chassis.migrate import upgrade

    server = await asyncpg.connect(f"{server_url}/postgres", password=password)
    for name in (*DATABASES, OLD_SHOP) if replacing else DATABASES:
        url = f"{server_url}/{prefix}{name}"
        await server.execute(f"CREATE DATABASE {prefix}{name}")
        await (make_old_shop(url, password) if name == OLD_SHOP else upgrade(name, url, password))
        own = await asyncpg.connect(url, password=password)
        found = await own.fetch(
            "SELECT conrelid::regclass AS of, conname AS name FROM pg_constraint"
            " WHERE connamespace = 'public'::regnamespace AND contype IN ('c', 'f', 'u')"
        )
        for constraint in found:
            await own.execute(f"ALTER TABLE {constraint['of']} DROP CONSTRAINT {constraint['name']}")
        await own.close()
    await server.close()


async def make_old_shop(url: str, password: str) -> None:
    """The tables of the old shop and of the bridge, where they are missing."""
    connection = await asyncpg.connect(url, password=password)
    for schema in OLD_SCHEMAS:
        await connection.execute((ROOT / schema).read_text())
    for table in ("products", "customers", "orders", "order_items"):
        await connection.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
    await connection.close()


async def drop_databases(server_url: str, password: str, prefix: str) -> None:
    """What `make_databases` has made."""
    server = await asyncpg.connect(f"{server_url}/postgres", password=password)
    for name in (*DATABASES, OLD_SHOP):
        await server.execute(f"DROP DATABASE IF EXISTS {prefix}{name} WITH (FORCE)")
    await server.close()


def new_namespace() -> str:
    """For a stream that no other test has."""
    return "t" + "".join(secrets.choice("abcdefgh") for _ in range(10))
