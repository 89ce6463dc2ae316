"""Who can reach whom: what the networks say, tried out from inside each container."""

import json
import socket
from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

import psutil
import pytest

from deploy.compose import project
from tests.system.shop import Shop

NETWORKS: Mapping[str, frozenset[str]] = {
    "shop": frozenset({"gateway", "identity", "catalog", "inventory", "orders", "payments", "bridge", "facade"}),
    "card": frozenset({"payments", "psp", "legacy"}),
    "bus": frozenset({"nats", "identity", "catalog", "inventory", "orders", "payments", "bridge"}),
    "old": frozenset({"legacy", "facade"}),
    **{name: frozenset({name, name.removesuffix("-db")}) for name in project.DATABASES},
    "legacy-db": frozenset({"legacy-db", "legacy", "bridge"}),
}
# Of the old shop the door is Envoy's; its own opens to nobody else.
PORTS = {
    **dict.fromkeys(project.SERVICES, 8080),
    **dict.fromkeys(project.DATABASES, 5432),
    "nats": 4222,
    "legacy": 8443,
}
# Whose addresses are those of the pod that it shares.
HOLDERS = {"legacy": "legacy-pod"}
CONNECT = """
import json, socket, sys
from concurrent.futures import ThreadPoolExecutor
def reached(target):
    try:
        socket.create_connection(target[1:], timeout=2).close()
        return target[0]
    except OSError:
        return None
targets = json.loads(sys.argv[1])
with ThreadPoolExecutor(len(targets)) as pool:
    print(json.dumps([name for name in pool.map(reached, targets) if name]))
"""
Door = tuple[str, str, int]


def _neighbours(service: str) -> set[str]:
    return set().union(*(members for members in NETWORKS.values() if service in members))


def _reached(service: str, doors: Sequence[Door]) -> set[str]:
    """Names of the doors that open for somebody inside a service's container."""
    return set(json.loads(project.container(service).python(CONNECT, json.dumps(doors))))


@pytest.fixture(scope="module")
def doors(shop: Shop) -> list[Door]:
    """What listens anywhere: by name, and by each address that it has."""
    by_name = [(name, name, port) for name, port in PORTS.items()]
    return by_name + [
        (name, address, port)
        for name, port in PORTS.items()
        for address in project.container(HOLDERS.get(name, name)).addresses().values()
    ]


@pytest.mark.parametrize("service", project.SERVICES)
def test_a_service_reaches_its_own_database_and_neighbours_and_nobody_else(service: str, doors: list[Door]) -> None:
    assert _reached(service, doors) == _neighbours(service)


def test_the_page_of_nats_which_asks_for_no_password_is_for_its_own_container_only() -> None:
    for address in project.container("nats").addresses().values():
        assert _reached("orders", [("port of clients", address, 4222), ("page", address, 8222)]) == {"port of clients"}


def test_nothing_is_published_but_the_gateway_and_only_on_this_machine(shop: Shop) -> None:
    published = {name: _published(name) for name in project.RUNNING}
    assert published.pop("gateway") == {("127.0.0.1", urlsplit(shop.url).port)}
    assert set().union(*published.values()) == set()


def _published(service: str) -> set[tuple[str, int]]:
    found = project.container(service).inspect()["NetworkSettings"]["Ports"] or {}
    return {(door["HostIp"], int(door["HostPort"])) for doors in found.values() for door in doors or ()}


def test_the_published_port_is_shut_at_every_other_address_of_this_machine(shop: Shop) -> None:
    port = urlsplit(shop.url).port or 0
    assert _open("127.0.0.1", port)
    addresses = {a.address for found in psutil.net_if_addrs().values() for a in found if a.family == socket.AF_INET}
    assert [address for address in addresses if not address.startswith("127.") and _open(address, port)] == []
    # From a container that has a way out of its network: by the address of the machine on it.
    (edge,) = [n for name, n in _networks("gateway").items() if name.endswith("_edge")]
    assert _reached("gateway", [("machine", edge["Gateway"], port)]) == set()


def test_the_old_shop_itself_answers_nobody_but_its_envoy() -> None:
    for address in project.container("legacy-pod").addresses().values():
        inside = [("shop", address, 8080), ("page of envoy", address, 9901)]
        assert _reached("facade", inside) == _reached("bridge", inside) == set()


def test_only_the_gateway_has_a_way_out() -> None:
    routed = {name for name in project.SERVICES if any(n["Gateway"] for n in _networks(name).values())}
    assert routed == {"gateway"}


def _networks(service: str) -> Mapping[str, Mapping[str, str]]:
    holder = HOLDERS.get(service, service)
    found: Mapping[str, Mapping[str, str]] = project.container(holder).inspect()["NetworkSettings"]["Networks"]
    return found


def _open(address: str, port: int) -> bool:
    with socket.socket() as client:
        client.settimeout(1)
        return client.connect_ex((address, port)) == 0
