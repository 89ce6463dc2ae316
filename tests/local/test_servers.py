"""The fixtures' servers are the real ones, and keep databases and speakers apart."""

import asyncpg
import nats
import nats.errors
import pytest

from conftest import MakeDatabase, NatsServer, PostgresServer


async def test_two_databases_of_one_service_are_apart(make_database: MakeDatabase) -> None:
    first = await make_database("orders", migrated=False)
    second = await make_database("orders", migrated=False)
    own = await asyncpg.connect(first.url, password=first.password)
    await own.close()
    foreign = first.url.rsplit("/", 1)[0] + "/" + second.url.rsplit("/", 1)[1]
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await asyncpg.connect(foreign, password=first.password)


async def test_postgres_refuses_a_wrong_password(postgres_server: PostgresServer) -> None:
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(postgres_server.url(), password="wrong")


async def test_jetstream_stores_what_it_acknowledges(nats_server: NatsServer) -> None:
    bus = await nats.connect(nats_server.url, user=nats_server.user, password=nats_server.password)
    stream = bus.jetstream()
    await stream.add_stream(name="PROBE", subjects=["probe.>"])
    try:
        await stream.publish("probe.one", b"kept")
        assert (await stream.get_last_msg("PROBE", "probe.one")).data == b"kept"
    finally:
        await stream.delete_stream("PROBE")
        await bus.close()


async def test_nats_refuses_a_stranger(nats_server: NatsServer) -> None:
    with pytest.raises(nats.errors.Error, match="Authorization Violation"):
        await nats.connect(nats_server.url, allow_reconnect=False, connect_timeout=2)
