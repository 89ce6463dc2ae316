"""What network policies let through is read as the API describes it: both ends, ports by name, no peer is anybody."""

from typing import Any

from deploy.kubernetes import edges as edges_of_deploy
from tests.deploy.made import NAME, Endpoint
from tests.deploy.network import Policies, table

SHOP = Endpoint("shop", {NAME: "shop"}, {})
STORE = Endpoint("store", {NAME: "store"}, {"sql": 5432, "metrics": 9187})
PODS = [SHOP, STORE]
NOBODY = {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}


def peer(name: str) -> dict[str, Any]:
    return {"podSelector": {"matchLabels": {NAME: name}}}


def egress(*to: dict[str, Any], ports: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    rule = {"to": list(to), **({"ports": ports} if ports else {})}
    return {**peer("shop"), "policyTypes": ["Egress"], "egress": [rule]}


def ingress(*source: dict[str, Any], ports: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    rule = {"from": list(source), **({"ports": ports} if ports else {})}
    return {**peer("store"), "policyTypes": ["Ingress"], "ingress": [rule]}


def edges(*specs: dict[str, Any]) -> set[tuple[str, str, int]]:
    return Policies([{"spec": spec} for spec in specs], PODS).edges()


BOTH = {("shop", "store", 5432), ("shop", "store", 9187)}
SQL = {("shop", "store", 5432)}


def test_who_is_not_selected_may_do_anything() -> None:
    assert edges() == BOTH


def test_nothing_passes_where_everybody_is_selected_and_nobody_named() -> None:
    assert edges(NOBODY) == set()


def test_both_ends_must_agree() -> None:
    assert edges(NOBODY, egress(peer("store"))) == set()
    assert edges(NOBODY, ingress(peer("shop"))) == set()
    assert edges(NOBODY, egress(peer("store")), ingress(peer("shop"))) == BOTH


def test_a_port_may_be_a_number_a_name_of_the_one_who_is_called_or_a_range() -> None:
    for port in ({"port": 5432}, {"port": "sql"}, {"port": 5000, "endPort": 5999}):
        assert edges(NOBODY, egress(peer("store"), ports=[port]), ingress(peer("shop"))) == SQL
    assert edges(NOBODY, egress(peer("store"), ports=[{"port": "http"}]), ingress(peer("shop"))) == set()


def test_another_protocol_is_another_port() -> None:
    datagrams = [{"protocol": "UDP", "port": 5432}]
    assert edges(NOBODY, egress(peer("store"), ports=datagrams), ingress(peer("shop"))) == set()
    either = [*datagrams, {"protocol": "TCP", "port": 5432}]
    assert edges(NOBODY, egress(peer("store"), ports=either), ingress(peer("shop"))) == SQL


def test_no_peer_is_anybody_and_a_port_alone_limits_it() -> None:
    assert edges(NOBODY, egress(), ingress(ports=[{"port": 5432}])) == SQL


def test_a_pod_of_another_namespace_is_none_of_this_one() -> None:
    elsewhere = {"namespaceSelector": {"matchLabels": {"a": "b"}}, **peer("store")}
    assert edges(NOBODY, egress(elsewhere), ingress(peer("shop"))) == set()
    assert edges(NOBODY, egress({"namespaceSelector": {}}), ingress(peer("shop"))) == BOTH


def test_the_own_namespace_can_be_named_like_any_other() -> None:
    label = {"kubernetes.io/metadata.name": "banyan"}
    specs = [NOBODY, egress({"namespaceSelector": {"matchLabels": label}}), ingress(peer("shop"))]
    assert Policies([{"spec": spec} for spec in specs], PODS, label).edges() == BOTH


def test_addresses_let_no_pod_through() -> None:
    assert edges(NOBODY, egress({"ipBlock": {"cidr": "10.0.0.0/8"}}), ingress(peer("shop"))) == set()


def test_an_egress_without_types_restricts_both_ways() -> None:
    """The API takes a policy for one of ingress, whatever else is in it."""
    assert edges({**peer("store"), "egress": []}) == set()


def test_who_is_outside_is_told_with_his_ports() -> None:
    way = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "keda"}}, **peer("operator")}
    policies = Policies([{"spec": ingress(way, ports=[{"port": 8222}])}], PODS)
    assert [(each.pod, each.outsider, each.ports) for each in policies.outsiders()] == [
        ("store", "keda/operator", (("TCP", 8222),))
    ]


def test_the_policies_are_those_of_the_table() -> None:
    for part, text in edges_of_deploy.texts().items():
        file = edges_of_deploy.DEPLOY / part / "policies.yaml"
        assert file.read_text() == text, "python -m deploy.kubernetes.edges"


def test_each_edge_says_why_and_is_there_once() -> None:
    rows = [(line["from"], line["to"], line["port"]) for line in table()]
    assert len(set(rows)) == len(rows)
    assert [line for line in table() if not line["why"].strip()] == []
