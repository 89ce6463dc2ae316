"""What a test knows of its servers: where they are and how to log in. Not how they came to be."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from deploy.local.servers import LOOPBACK, SUPERUSER

# Nothing in the tests' PostgreSQL outlives the session.
NOT_DURABLE: Mapping[str, str] = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


@dataclass(frozen=True)
class PostgresServer:
    """A running cluster; `url(database)` is the superuser's, without the password."""

    port: int
    password: str

    def url(self, database: str = "postgres", role: str = SUPERUSER) -> str:
        return f"postgresql://{role}@{LOOPBACK}:{self.port}/{database}"


@dataclass(frozen=True)
class NatsServer:
    """A running NATS server with JetStream and one account that may do everything."""

    url: str
    user: str
    password: str


class Servers(Protocol):
    """A way to run them. Both ways give the same settings: locale, durability, limits, accounts."""

    def postgres(self) -> AbstractContextManager[PostgresServer]:
        """PostgreSQL for the time of the block, ready, on a port of the loopback interface. Not durable."""

    def nats(self) -> AbstractContextManager[NatsServer]:
        """NATS with JetStream, synced at every message as in production; likewise."""
