"""Three NATS servers: what was acknowledged lies on all of them, and the loss of one stops nothing."""

import asyncio
import json
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from nats.js import JetStreamContext
from nats.js.api import StreamConfig
from pydantic import SecretStr, ValidationError
from sample.waiting import until

from chassis.bus import Bus
from chassis.consumer import Consumer
from chassis.errors import DependencyUnavailable
from chassis.messages import Message
from chassis.settings import BusSettings
from deploy.local import nats_config, servers

SUBJECT = "shop.sample.noted.v1"
STREAM = "SHOP"


class Cluster:
    """Three servers as processes, each with routes to the others."""

    def __init__(self, folder: Path) -> None:
        self.ports = [servers.free_port() for _ in range(3)]
        routes = [servers.free_port() for _ in range(3)]
        self._processes: dict[int, subprocess.Popen[bytes]] = {}
        for number, port in enumerate(self.ports):
            user = nats_config.NatsUser("test", "x")
            config = json.loads(nats_config.render(port, folder / f"store-{number}", [user]))
            config["server_name"] = f"n{number}"
            config["cluster"] = {
                "name": "banyan",
                "listen": f"127.0.0.1:{routes[number]}",
                "routes": [f"nats://127.0.0.1:{each}" for each in routes],
            }
            file = folder / f"n{number}.conf"
            file.write_text(json.dumps(config))
            self._processes[port] = servers.start_nats(file, port)

    def settings(self, replicas: int, of: int = 0) -> BusSettings:
        """As of a service that is told the address of one server; the others' it learns there."""
        return BusSettings(
            nats_url=f"nats://127.0.0.1:{self.ports[of]}",
            nats_user="test",
            nats_password=SecretStr("x"),
            stream_replicas=replicas,
        )

    def kill(self, port: int) -> None:
        servers.stop(self._processes.pop(port), signal.SIGKILL)

    def stop(self) -> None:
        for port in list(self._processes):
            self.kill(port)


@pytest.fixture
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    made = Cluster(tmp_path_factory.mktemp("cluster"))
    yield made
    made.stop()


async def _connected(settings: BusSettings) -> tuple[Bus, JetStreamContext]:
    bus = Bus(settings, "test")
    await bus.start()
    async with asyncio.timeout(60):  # the servers have to find each other, and to elect
        return bus, await bus.jetstream()


async def _publish(bus: Bus, aggregate: str) -> None:
    message = Message.new(SUBJECT, aggregate, 1, {"text": aggregate})

    async def stored() -> bool:
        try:
            await bus.publish(SUBJECT, str(message.id), message.encode())
        except DependencyUnavailable:
            return False
        return True

    await until(stored, seconds=60, every=0.1)


async def test_the_loss_of_one_server_of_three_stops_neither_publishing_nor_consuming(cluster: Cluster) -> None:
    bus, jetstream = await _connected(cluster.settings(replicas=3))
    got: list[str] = []

    async def handle(message: Message) -> None:
        got.append(message.subject)

    consumer = Consumer(bus, "reader", {SUBJECT: handle})
    await consumer.start()
    await _publish(bus, "before")
    await until(lambda: got == ["before"], seconds=60)
    durable = await jetstream.consumer_info(STREAM, "reader")
    assert durable.cluster is not None
    assert len(durable.cluster.replicas or []) == 2, "the place in the stream is on three servers as well"

    cluster.kill(cluster.ports[0])  # the one that the service is connected to
    await _publish(bus, "after")
    await until(lambda: "after" in got, seconds=60)
    state = (await (await bus.jetstream()).stream_info(STREAM)).state
    assert state.messages == 2, "nothing that was acknowledged is lost"
    await consumer.stop()
    await bus.stop()


async def _copies(jetstream: JetStreamContext) -> int | None:
    config: StreamConfig = (await jetstream.stream_info(STREAM)).config
    return config.num_replicas


async def test_a_stream_that_is_there_gets_more_copies_and_never_fewer(cluster: Cluster) -> None:
    alone, jetstream = await _connected(cluster.settings(replicas=1))
    await _publish(alone, "kept")
    assert await _copies(jetstream) == 1
    told, _ = await _connected(cluster.settings(replicas=3, of=1))
    assert await _copies(jetstream) == 3
    untold, _ = await _connected(cluster.settings(replicas=1, of=2))
    assert await _copies(jetstream) == 3
    assert (await jetstream.stream_info(STREAM)).state.messages == 1
    for bus in (alone, told, untold):
        await bus.stop()


async def test_where_copies_cannot_be_made_the_service_works_with_what_is_there(
    bus: Bus, bus_settings: BusSettings
) -> None:
    hopeful = Bus(bus_settings.model_copy(update={"stream_replicas": 3}), "hopeful")
    await hopeful.start()
    async with asyncio.timeout(10):
        await hopeful.jetstream()
    await hopeful.publish(f"{bus_settings.namespace}.sample.noted.v1", "1", b"{}")
    await hopeful.stop()


@pytest.mark.parametrize("replicas", [0, 2, 4, 7])
def test_a_number_of_copies_without_a_majority_is_refused(replicas: int) -> None:
    with pytest.raises(ValidationError, match="1, 3 or 5"):
        BusSettings(nats_url="nats://127.0.0.1:1", stream_replicas=replicas)
