"""Writes network policies from the table of who may speak to whom: `python -m deploy.kubernetes.edges`.

The table is deploy/components/network-policy/edges.csv. An edge becomes two policies, for both ends must agree: the
egress of one and the ingress of the other. `part` names the folder that brings them; each gets a policies.yaml.
"""

import csv
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from deploy.local.place import ROOT

DEPLOY = ROOT / "deploy"
CORE = "components/network-policy"
TABLE = DEPLOY / CORE / "edges.csv"
OUTSIDE, SERVICES = "outside", "services"
HEADER = f"# Made by `python -m deploy.kubernetes.edges` from deploy/{CORE}/edges.csv.\n"
NAME, COMPONENT = "app.kubernetes.io/name", "app.kubernetes.io/component"

Object = dict[str, Any]


@dataclass(frozen=True)
class Edge:
    """One pod may call another one's ports.

    A name is a pod's label; `namespace/name` is a pod of another namespace, `services` are all of ours, `outside` is
    anybody anywhere.
    """

    source: str
    target: str
    ports: Sequence[int]

    def policies(self) -> Iterator[Object]:
        """What each end that is ours agrees to."""
        ports = [{"protocol": "TCP", "port": port} for port in self.ports]
        if _is_ours(self.source):
            rule = {**_peers("to", self.target), "ports": ports}
            yield _policy(f"{_plain(self.source)}-to-{_plain(self.target)}", self.source, {"egress": [rule]})
        if _is_ours(self.target):
            rule = {**_peers("from", self.source), "ports": ports}
            yield _policy(f"{_plain(self.target)}-from-{_plain(self.source)}", self.target, {"ingress": [rule]})


def read() -> Mapping[str, Sequence[Edge]]:
    """The edges of each part; ports of the same two ends are one edge."""
    with TABLE.open(newline="") as file:
        rows = list(csv.DictReader(file))
    ports: dict[tuple[str, str, str], list[int]] = {}
    for row in rows:
        ports.setdefault((row["part"], row["from"], row["to"]), []).append(int(row["port"]))
    found: dict[str, list[Edge]] = {}
    for (part, source, target), numbers in ports.items():
        found.setdefault(part, []).append(Edge(source, target, numbers))
    return found


def texts() -> Mapping[str, str]:
    """The whole file of each part."""
    made = {part: [policy for edge in edges for policy in edge.policies()] for part, edges in read().items()}
    made[CORE] = [*_for_everybody(), *made[CORE]]
    return {part: HEADER + _dump(policies) for part, policies in made.items()}


def main() -> int:
    """Entry point of the command."""
    for part, text in texts().items():
        file = DEPLOY / part / "policies.yaml"
        file.write_text(text)
        sys.stdout.write(f"{file.relative_to(ROOT)}: {text.count('kind: NetworkPolicy')} policies\n")
    return 0


def _for_everybody() -> Iterator[Object]:
    """Nothing at all, and then names: by TCP too, for an answer may be too long for a datagram."""
    yield _policy("nobody", None, {}, ["Ingress", "Egress"])
    ask = {
        "to": [
            {
                "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}},
                "podSelector": {"matchLabels": {"k8s-app": "kube-dns"}},
            }
        ],
        "ports": [{"protocol": protocol, "port": 53} for protocol in ("UDP", "TCP")],
    }
    yield _policy("all-to-dns", None, {"egress": [ask]})


def _policy(name: str, pod: str | None, rules: Mapping[str, Any], types: Sequence[str] = ()) -> Object:
    selector = {} if pod is None else _labelled(pod)
    spec = {"podSelector": selector, "policyTypes": [*types, *(key.capitalize() for key in rules)], **rules}
    return {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": name}, "spec": spec}


def _peers(direction: str, name: str) -> Object:
    """Whom a rule is about. Who is not said is anybody, and an empty list would be dropped by the API server."""
    if name == OUTSIDE:
        return {}
    namespace, _, pod = name.rpartition("/")
    peer: Object = {"podSelector": _labelled(pod)}
    if namespace:
        peer["namespaceSelector"] = {"matchLabels": {"kubernetes.io/metadata.name": namespace}}
    return {direction: [peer]}


def _labelled(pod: str) -> Object:
    return {"matchLabels": {COMPONENT: "service"} if pod == SERVICES else {NAME: pod}}


def _is_ours(name: str) -> bool:
    return name != OUTSIDE and "/" not in name


def _plain(name: str) -> str:
    return name.replace("/", "-")


def _dump(policies: Iterable[Object]) -> str:
    return yaml.safe_dump_all(policies, sort_keys=False, width=120)


if __name__ == "__main__":
    sys.exit(main())
