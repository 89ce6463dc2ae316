"""Containers for tests are reachable from this machine only, and none is left behind, whatever happens."""

import secrets
import signal
import subprocess
import sys
from typing import Any

import pytest
from testcontainers.core.container import DockerContainer
from testcontainers.core.docker_client import DockerClient

from deploy.local.place import ROOT
from deploy.local.servers import LOOPBACK, ServerFailedError, nats_ready
from deploy.local.supervisor import wait_until
from tests.servers.containers import Containers, _running, _wait_until
from tests.servers.contract import NatsServer, Servers
from tests.servers.sessions import collected
from tests.servers.sweeper import LABEL, swept

OWNER = """
import sys
from tests.servers.containers import Containers
from tests.servers.images import Images
with Containers(Images(nats=sys.argv[1])).nats() as server:
    print(server.url, flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def containers(servers: Servers) -> Containers:
    """Only where this session uses containers."""
    if not isinstance(servers, Containers):
        pytest.skip("this session uses embedded servers")
    return servers


def existing(**filters: str) -> list[Any]:
    """Containers, running or not."""
    found: list[Any] = DockerClient().client.containers.list(all=True, ignore_removed=True, filters=filters)
    return found


def behind(url: str) -> Any:
    """The container that a server's URL leads to."""
    port = url.rpartition(":")[2]
    (found,) = (one for one in existing(label=LABEL) if port in {place["HostPort"] for place in published(one)})
    return found


def published(container: Any) -> list[Any]:
    """Where its ports are published."""
    return [place for places in container.ports.values() for place in places or ()]


def test_published_on_the_loopback_interface_only(containers: Containers, nats_server: NatsServer) -> None:
    assert [place["HostIp"] for place in published(behind(nats_server.url))] == [LOOPBACK]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_container_goes_with_the_process_that_started_it(containers: Containers, number: signal.Signals) -> None:
    command = [sys.executable, "-c", OWNER, containers.images.nats]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        container = behind(owner.stdout.readline().strip())
        owner.send_signal(number)
    wait_until(lambda: not existing(id=container.id), 10, "the container lives on")


def test_a_container_that_was_made_and_then_lost_is_removed_when_the_block_fails(containers: Containers) -> None:
    mark = secrets.token_hex(8)
    with pytest.raises(KeyboardInterrupt), swept(mark):  # noqa: PT012
        DockerClient().create(containers.images.nats, labels={LABEL: mark})
        assert existing(label=f"{LABEL}={mark}")
        raise KeyboardInterrupt
    # After an interrupt nobody waits for the sweeper: it goes on by itself.
    wait_until(lambda: not existing(label=f"{LABEL}={mark}"), 10, "the container lives on")


def test_a_network_goes_after_the_containers_on_it(containers: Containers) -> None:
    mark = secrets.token_hex(8)
    client = DockerClient()
    with pytest.raises(KeyboardInterrupt), swept(mark):  # noqa: PT012
        network = client.client.networks.create(f"banyan-test-{mark}", internal=True, labels={LABEL: mark})
        client.run(containers.images.nats, detach=True, labels={LABEL: mark}, network=network.name)
        raise KeyboardInterrupt
    wait_until(lambda: not client.client.networks.list(names=[network.name]), 10, "the network lives on")


def test_a_server_that_ends_at_once_is_shown_with_its_log_and_removed(containers: Containers) -> None:
    broken = DockerContainer(containers.images.nats).with_command(["-c", "/absent.conf"])
    with pytest.raises(ServerFailedError, match=r"absent\.conf"), _running(broken, 4222) as port:
        _wait_until(lambda: nats_ready(port), broken)
    assert not existing(id=broken.get_container_id())


@pytest.mark.usefixtures("containers")
@pytest.mark.parametrize(
    "images",
    [
        {"NATS_IMAGE": "127.0.0.1:1/absent:1"},
        {"RYUK_CONTAINER_IMAGE": "127.0.0.1:1/absent:1", "TESTCONTAINERS_RYUK_DISABLED": "false"},
    ],
    ids=["server", "ryuk"],
)
def test_an_engine_that_cannot_have_an_image_is_no_engine(images: dict[str, str]) -> None:
    complaint = "127.0.0.1:1/absent:1 cannot be had: "
    assert f"\nservers: embedded ({complaint}" in collected(TEST_SERVERS="auto", **images).stdout
    refused = collected(TEST_SERVERS="containers", **images)
    assert refused.returncode == pytest.ExitCode.USAGE_ERROR
    assert refused.stderr.startswith(f"ERROR: TEST_SERVERS=containers: {complaint}")
