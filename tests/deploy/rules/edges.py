"""Network policies let through what the table says and the settings need, and nothing else."""

from collections.abc import Iterator

from tests.deploy.made import endpoints
from tests.deploy.manifests import Manifests, selects, title
from tests.deploy.network import Edge, Policies, needed, table
from tests.deploy.rendering import Object
from tests.deploy.rules.rule import rule

# Edges that no setting of a service leads to: replicas of one server among themselves are none between two workloads.
DNS = {("TCP", 53), ("UDP", 53)}


def tabled(manifests: Manifests) -> set[Edge]:
    """The edges of the table between pods that this overlay has."""
    here = {each.name for each in endpoints(manifests)}
    return {
        (line["from"], line["to"], int(line["port"]))
        for line in table()
        if line["from"] in here and line["to"] in here and line["from"] != line["to"]
    }


def policy(manifests: Manifests, to: str, direction: str) -> Object:
    """One that holds for a pod, for those who break things."""
    (pod,) = (each for each in endpoints(manifests) if each.name == to)
    return next(
        each
        for each in manifests.of("NetworkPolicy")
        if selects(each["spec"].get("podSelector"), pod.labels) and each["spec"].get(direction)
    )


@rule("banyan")
def nothing_is_let_through_by_default(manifests: Manifests) -> Iterator[str]:
    for direction in ("Ingress", "Egress"):
        closed = [
            each
            for each in manifests.of("NetworkPolicy")
            if not each["spec"].get("podSelector")
            and direction in each["spec"].get("policyTypes", ())
            and not each["spec"].get(direction.lower())
        ]
        if not closed:
            yield direction


@nothing_is_let_through_by_default.broken_by
def _(manifests: Manifests) -> None:
    for each in manifests.of("NetworkPolicy"):
        each["spec"]["podSelector"] = {"matchLabels": {"app.kubernetes.io/name": "orders"}}


@rule("banyan")
def pods_reach_each_other_as_the_table_says(manifests: Manifests) -> Iterator[str]:
    allowed, wanted = Policies.of(manifests).edges(), tabled(manifests)
    yield from (f"{edge} is not let through" for edge in wanted - allowed)
    yield from (f"{edge} is let through" for edge in allowed - wanted)


@pods_reach_each_other_as_the_table_says.broken_by
def _(manifests: Manifests) -> None:
    policy(manifests, "orders-db", "ingress")["spec"]["ingress"].append({"from": [{"podSelector": {}}]})


@rule("banyan")
def each_edge_is_one_that_a_setting_needs(manifests: Manifests) -> Iterator[str]:
    wanted = needed(manifests)
    yield from (f"{edge} is needed and not in the table" for edge in wanted - tabled(manifests))
    yield from (f"{edge} is in the table and nobody needs it" for edge in tabled(manifests) - wanted)


@each_edge_is_one_that_a_setting_needs.broken_by
def _(manifests: Manifests) -> None:
    for each in manifests.of("ConfigMap"):
        each.get("data", {}).pop("CATALOG_URL", None)


@rule("banyan")
def a_policy_is_for_somebody(manifests: Manifests) -> Iterator[str]:
    for each in manifests.of("NetworkPolicy"):
        if not any(selects(each["spec"].get("podSelector"), pod.labels) for pod in endpoints(manifests)):
            yield title(each)


@a_policy_is_for_somebody.broken_by
def _(manifests: Manifests) -> None:
    manifests.of("NetworkPolicy")[0]["spec"]["podSelector"] = {"matchLabels": {"app": "nobody"}}


@rule("banyan")
def names_can_be_asked_for_by_both_protocols(manifests: Manifests) -> Iterator[str]:
    """An answer that is too long for a datagram is asked for again by TCP."""
    asks = {
        pod: ports
        for pod, direction, _, ports in Policies.of(manifests).outsiders()
        if direction == "Egress" and set(ports) & DNS
    }
    yield from (each.name for each in endpoints(manifests) if not set(asks.get(each.name, ())) >= DNS)


@names_can_be_asked_for_by_both_protocols.broken_by
def _(manifests: Manifests) -> None:
    for each in manifests.of("NetworkPolicy"):
        for way in each["spec"].get("egress", ()):
            way["ports"] = [
                port for port in way.get("ports", ()) if port.get("protocol") != "TCP" or port["port"] != 53
            ]
