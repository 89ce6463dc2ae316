"""A taken port is named, with who has it and what to do."""

import os
import socket
from collections.abc import Iterator

import pytest

from deploy.local import ports_check
from deploy.local.place import OFFSETS, Ports
from deploy.local.screen import RunError


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        yield listening


def test_a_taken_port_of_the_gateway_is_named_with_its_holder_and_the_way_out(listener: socket.socket) -> None:
    port = listener.getsockname()[1]
    with pytest.raises(RunError, match=f"port {port} for gateway is not free: process {os.getpid()}") as caught:
        ports_check.require_free(Ports(gateway=port, base=ports_check.free_ports().base))
    assert caught.value.advice == "choose others with: make up PORT=9080"


def test_a_taken_port_of_the_block_asks_for_another_block(listener: socket.socket) -> None:
    base = listener.getsockname()[1] - OFFSETS["postgres"]
    with pytest.raises(RunError, match="for postgres is not free") as caught:
        ports_check.require_free(Ports(gateway=ports_check.free_ports().gateway, base=base))
    assert "BASE_PORT=9100" in caught.value.advice


def test_the_gateway_cannot_sit_inside_the_block() -> None:
    with pytest.raises(RunError, match="lies inside the block"):
        ports_check.refuse_impossible(Ports(gateway=9101, base=9100))


def test_ports_beyond_the_last_are_refused() -> None:
    with pytest.raises(RunError, match="from 1 to 65535"):
        ports_check.refuse_impossible(Ports(gateway=8080, base=65530))
