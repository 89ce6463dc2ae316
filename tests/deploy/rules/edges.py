"""Network policies let through what the table says and the settings need, and nothing else."""

from collections.abc import Iterator, Mapping
from fnmatch import fnmatch

from tests.deploy.made import endpoints
from tests.deploy.manifests import Manifests, selects, title
from tests.deploy.network import OUTSIDE, Edge, Policies, needed, tabled
from tests.deploy.ours import end_of, is_outside, services_in, urls
from tests.deploy.rendering import Object
from tests.deploy.rules.rule import rule

_CORE = "components/network-policy"
# The folders of the table that an overlay has.
PARTS = {
    "local": (_CORE, "components/faults", "overlays/local"),
    "staging": (_CORE, "components/telemetry"),
    "production": (_CORE, "components/telemetry"),
}
# Who is started by a command, and who watches: no setting of a service leads to or from them.
WATCHERS = {"prometheus", "seed", "traffic", "verify", "replay", "faults"}
DNS = (("TCP", 53), ("UDP", 53))
_PRIVATE = "10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16, 100.64.0.0/10, 169.254.0.0/16"

# Whom of the world which pods may speak to, beside what the table says of names with a namespace.
WORLD: tuple[tuple[str, str, str, tuple[tuple[str, int], ...]], ...] = (
    ("*", "Egress", "kube-system/kube-dns", DNS),
    ("gateway", "Ingress", "banyan.example/edge=true/*", (("TCP", 8080),)),
    ("*", "Ingress", "monitoring/prometheus", (("TCP", 8080), ("TCP", 8081))),
    ("*-db", "Ingress", "monitoring/prometheus", (("TCP", 9187),)),
    # The operator's ways to its instances, and theirs to the API server and to the store of backups.
    ("*-db", "Ingress", "cnpg-system/cloudnative-pg", (("TCP", 5432), ("TCP", 8000))),
    ("*-db", "Egress", "anybody", (("TCP", 443), ("TCP", 6443))),
    ("nats", "Ingress", "keda/keda-operator", (("TCP", 8222),)),
)
OF_ONE: Mapping[str, tuple[tuple[str, str, str, tuple[tuple[str, int], ...]], ...]] = {
    # A laptop has nobody outside but its owner, and a node port shows no namespace.
    "local": (("gateway", "Ingress", "anybody", (("TCP", 8080),)),),
    # The card processor, and nothing that is not public.
    "production": tuple(
        (name, "Egress", f"0.0.0.0/0 but {_PRIVATE}", (("TCP", 443),)) for name in ("payments", "legacy")
    ),
}


def written(manifests: Manifests) -> set[Edge]:
    """The edges of the table that are for this overlay."""
    return tabled(PARTS[manifests.overlay], endpoints(manifests))


def guests(manifests: Manifests) -> set[str]:
    """Names in the table that are pods only while a command runs."""
    names = {name for edge in written(manifests) for name in edge[:2]}
    return {name for name in names if "/" not in name} - {each.name for each in endpoints(manifests)} - {OUTSIDE}


def between_pods(manifests: Manifests) -> set[Edge]:
    """The edges of the table between pods of the namespace. A name that nobody has, such as the stand-in for the card
    processor in production, is nobody's edge.
    """
    here = {each.name for each in endpoints(manifests)}
    return {edge for edge in written(manifests) if edge[1] in here and (edge[0] in here or edge[0] in WATCHERS)}


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
    allowed = Policies.of(manifests, guests(manifests)).edges()
    wanted = between_pods(manifests)
    yield from (f"{edge} is not let through" for edge in wanted - allowed)
    yield from (f"{edge} is let through" for edge in allowed - wanted)


@pods_reach_each_other_as_the_table_says.broken_by
def _(manifests: Manifests) -> None:
    policy(manifests, "orders-db", "ingress")["spec"]["ingress"].append({"from": [{"podSelector": {}}]})
    policy(manifests, "payments", "egress")["spec"]["egress"].append({"to": [{"podSelector": {}}]})


@rule("banyan")
def each_edge_is_one_that_a_setting_needs(manifests: Manifests) -> Iterator[str]:
    wanted, listed = needed(manifests), between_pods(manifests)
    yield from (f"{edge} is needed and not in the table" for edge in wanted - listed)
    unneeded = {edge for edge in listed - wanted if edge[0] not in WATCHERS}
    yield from (f"{edge} is in the table and nobody needs it" for edge in unneeded)


@each_edge_is_one_that_a_setting_needs.broken_by
def _(manifests: Manifests) -> None:
    for each in manifests.of("ConfigMap"):
        each.get("data", {}).pop("CATALOG_URL", None)


@rule("banyan")
def the_world_is_let_in_and_out_as_written_here(manifests: Manifests) -> Iterator[str]:
    known = WORLD + OF_ONE.get(manifests.overlay, ())
    named = {(edge[0], edge[1]): edge[2] for edge in written(manifests) if "/" in edge[1]}
    for way in Policies.of(manifests).outsiders():
        known_here = any(
            fnmatch(way.pod, pod) and (way.direction, way.outsider, way.ports) == (direction, outsider, ports)
            for pod, direction, outsider, ports in known
        )
        if not known_here and way.ports != (("TCP", named.get((way.pod, way.outsider), 0)),):
            yield str(way)


@the_world_is_let_in_and_out_as_written_here.broken_by
def _(manifests: Manifests) -> None:
    policy(manifests, "orders", "egress")["spec"]["egress"].append({"to": [{"ipBlock": {"cidr": "0.0.0.0/0"}}]})


@rule("banyan")
def what_is_beyond_the_namespace_can_be_reached_if_a_setting_says_so(manifests: Manifests) -> Iterator[str]:
    ways = [way for way in Policies.of(manifests).outsiders() if way.direction == "Egress"]
    for container, given in services_in(manifests):
        for name, value in urls(given):
            host, port = end_of(value)
            inside = "/".join(reversed(host.split(".")[:2]))
            if is_outside(manifests, host) and not any(
                way.pod == container.pod.name
                and ("TCP", port) in way.ports
                and (way.outsider == inside or " but " in way.outsider)
                for way in ways
            ):
                yield f"{container} {name}: {value}"


@what_is_beyond_the_namespace_can_be_reached_if_a_setting_says_so.broken_by
def _(manifests: Manifests) -> None:
    for container, _ in services_in(manifests):
        container.spec.setdefault("env", []).append({"name": "PSP_URL", "value": "https://psp.example:8443"})


@rule("kube-score: networkpolicy-targets-pod")
def a_policy_is_for_somebody(manifests: Manifests) -> Iterator[str]:
    pods = Policies.of(manifests, guests(manifests)).pods
    for each in manifests.of("NetworkPolicy"):
        if not any(selects(each["spec"].get("podSelector"), pod.labels) for pod in pods):
            yield title(each)


@a_policy_is_for_somebody.broken_by
def _(manifests: Manifests) -> None:
    manifests.of("NetworkPolicy")[0]["spec"]["podSelector"] = {"matchLabels": {"app": "nobody"}}


@rule("banyan")
def names_can_be_asked_for_by_both_protocols(manifests: Manifests) -> Iterator[str]:
    """An answer that is too long for a datagram is asked for again by TCP."""
    ask = {way.pod for way in Policies.of(manifests).outsiders() if way.direction == "Egress" and way.ports == DNS}
    yield from {each.name for each in endpoints(manifests)} - ask


@names_can_be_asked_for_by_both_protocols.broken_by
def _(manifests: Manifests) -> None:
    for each in manifests.of("NetworkPolicy"):
        for way in each["spec"].get("egress", ()):
            way["ports"] = [port for port in way.get("ports", ()) if port != {"protocol": "TCP", "port": 53}]
