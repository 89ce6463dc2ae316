"""Who may speak to whom: the network policies of an overlay, evaluated as a cluster does.

Between two pods both ends must agree: the egress of one and the ingress of the other. A pod that no policy selects for
a direction may do anything in it.
"""

import csv
import functools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from deploy.local.place import ROOT
from tests.deploy.made import NAME, Endpoint, endpoints, port_behind
from tests.deploy.manifests import Manifests, selects
from tests.deploy.ours import end_of, services_in, urls

TABLE = ROOT / "deploy/components/network-policy/edges.csv"
OUTSIDE, SERVICES = "outside", "services"
Edge = tuple[str, str, int]


@dataclass(frozen=True)
class Way:
    """Between a pod and somebody who is none of the namespace: `namespace/pod`, `anybody`, or a block of addresses."""

    pod: str
    direction: str
    outsider: str
    ports: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class Policies:
    """The policies of one namespace, and its pods."""

    policies: list[dict[str, Any]]
    pods: list[Endpoint]
    namespace: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, manifests: Manifests, guests: Iterable[str] = ()) -> "Policies":
        """With pods that are no part of the overlay: who runs a command starts them, under the name of it."""
        started = [Endpoint(name, {NAME: name}, {}) for name in guests]
        (namespace,) = manifests.names("Namespace")
        labels = {"kubernetes.io/metadata.name": namespace}
        return cls(manifests.of("NetworkPolicy"), [*endpoints(manifests), *started], labels)

    def edges(self) -> set[Edge]:
        """Each port of each pod, for each other pod that may reach it."""
        return {
            (source.name, target.name, port)
            for source in self.pods
            for target in self.pods
            for port in target.ports.values()
            if source != target and self.allows(source, target, port)
        }

    def allows(self, source: Endpoint, target: Endpoint, port: int) -> bool:
        return self._lets(source, "Egress", target, target, port) and self._lets(
            target, "Ingress", source, target, port
        )

    def _lets(self, pod: Endpoint, direction: str, peer: Endpoint, target: Endpoint, port: int) -> bool:
        rules = self.rules(pod, direction)
        return rules is None or any(
            _is_peer(each, direction, peer, self.namespace) and _is_port(each.get("ports"), target, port)
            for each in rules
        )

    def rules(self, pod: Endpoint, direction: str) -> list[dict[str, Any]] | None:
        """What holds for a pod in one direction; none means that nobody has restricted it."""
        chosen = [each["spec"] for each in self.policies if selects(each["spec"].get("podSelector", {}), pod.labels)]
        chosen = [each for each in chosen if direction in _types(each)]
        return [rule for each in chosen for rule in each.get(direction.lower()) or ()] if chosen else None

    def outsiders(self) -> Iterator["Way"]:
        """Whom of other namespaces, or of no cluster, pods may speak to."""
        for pod in self.pods:
            for direction in ("Ingress", "Egress"):
                for each in self.rules(pod, direction) or ():
                    peers: list[dict[str, Any]] = each.get(_PEERS[direction]) or [{}]
                    for peer in peers:
                        if "podSelector" not in peer or "namespaceSelector" in peer:
                            yield Way(pod.name, direction, _title(peer), _numbers(each))


_PEERS = {"Ingress": "from", "Egress": "to"}


def _types(spec: Mapping[str, Any]) -> Iterable[str]:
    types: Iterable[str] = spec.get("policyTypes") or ["Ingress", *(["Egress"] if "egress" in spec else [])]
    return types


def _is_peer(rule: Mapping[str, Any], direction: str, pod: Endpoint, namespace: Mapping[str, str]) -> bool:
    """A pod of this namespace. A block of addresses is for those who are no pods."""
    peers = rule.get(_PEERS[direction])
    return not peers or any(
        "ipBlock" not in each
        and selects(each.get("namespaceSelector", {}), namespace)
        and selects(each.get("podSelector", {}), pod.labels)
        for each in peers
    )


def _is_port(ports: Iterable[Mapping[str, Any]] | None, target: Endpoint, port: int) -> bool:
    if not ports:
        return True
    for each in ports:
        first = target.ports.get(each["port"]) if isinstance(each.get("port"), str) else each.get("port")
        if each.get("protocol", "TCP") == "TCP" and (first is None or first <= port <= each.get("endPort", first)):
            return first is not None or "port" not in each
    return False


def _title(peer: Mapping[str, Any]) -> str:
    if "ipBlock" in peer:
        return f"{peer['ipBlock']['cidr']} but {', '.join(peer['ipBlock'].get('except', ()))}"
    if "namespaceSelector" not in peer:
        return "anybody"
    (namespace,) = (peer["namespaceSelector"].get("matchLabels") or {"": "*"}).items()
    pod = "/".join((peer.get("podSelector") or {}).get("matchLabels", {}).values()) or "*"
    return f"{namespace[1] if namespace[0].endswith('metadata.name') else '='.join(namespace)}/{pod}"


def _numbers(rule: Mapping[str, Any]) -> tuple[tuple[str, int], ...]:
    return tuple(sorted((each.get("protocol", "TCP"), each.get("port")) for each in rule.get("ports") or ()))


@functools.cache
def table() -> tuple[Mapping[str, str], ...]:
    """The edges as people write them: from, to, port, why, and the folder that lets them through."""
    lines = [line for line in TABLE.read_text().splitlines() if line and not line.startswith("#")]
    return tuple(csv.DictReader(lines))


def tabled(parts: Iterable[str], pods: Iterable[Endpoint]) -> set[Edge]:
    """The edges of these folders. `services` are all pods of ours that have the port, or that call it."""
    found: set[Edge] = set()
    for line in table():
        if line["part"] in parts:
            port = int(line["port"])
            callers = [each.name for each in pods if _is_service(each)] if line["from"] == SERVICES else [line["from"]]
            called = [each.name for each in pods if _is_service(each) and port in each.ports.values()]
            targets = called if line["to"] == SERVICES else [line["to"]]
            found |= {(caller, target, port) for caller in callers for target in targets}
    return found


def _is_service(pod: Endpoint) -> bool:
    return pod.labels.get("app.kubernetes.io/component") == "service"


def needed(manifests: Manifests) -> set[Edge]:
    """What the settings lead to."""
    return {
        (container.pod.name, name, number)
        for container, given in services_in(manifests)
        for _, value in urls(given)
        for name, number in port_behind(manifests, *end_of(value)).items()
        if name != container.pod.name
    }
