"""The one way in from outside: Gateway and routes. A laptop has a node port instead."""

from collections.abc import Iterator

from tests.deploy.made import addresses, secrets
from tests.deploy.manifests import Manifests, title
from tests.deploy.rendering import Object
from tests.deploy.rules.rule import LASTING, rule


def rules_of(manifests: Manifests) -> list[tuple[str, Object]]:
    """What routes do, with the title of each."""
    return [(title(route), each) for route in manifests.of("HTTPRoute") for each in route["spec"]["rules"]]


def backends(manifests: Manifests) -> list[tuple[str, Object]]:
    """Whom routes lead to."""
    return [(name, backend) for name, each in rules_of(manifests) for backend in each.get("backendRefs", ())]


@rule("kube-score: ingress-targets-service", overlays=LASTING)
def a_route_leads_to_a_service(manifests: Manifests) -> Iterator[str]:
    for name, backend in backends(manifests):
        address = addresses(manifests).get(backend["name"])
        if not address or backend["port"] not in address.ports:
            yield f"{name}: {backend}"
    if not backends(manifests):
        yield "no route"


@a_route_leads_to_a_service.broken_by
def _(manifests: Manifests) -> None:
    backends(manifests)[0][1]["port"] = 80


@rule("kubescape: C-0266", "polaris: httpRouteCrossNamespaceBackendRef", overlays=LASTING)
def only_the_gateway_is_reached_from_outside(manifests: Manifests) -> Iterator[str]:
    for name, backend in backends(manifests):
        if backend["name"] != "gateway" or "namespace" in backend:
            yield f"{name}: {backend}"


@only_the_gateway_is_reached_from_outside.broken_by
def _(manifests: Manifests) -> None:
    backends(manifests)[0][1]["name"] = "orders"


@rule("banyan", overlays=LASTING)
def an_answer_is_awaited_for_a_time_only(manifests: Manifests) -> Iterator[str]:
    for name, each in rules_of(manifests):
        if each.get("backendRefs") and not each.get("timeouts", {}).get("request"):
            yield name


@an_answer_is_awaited_for_a_time_only.broken_by
def _(manifests: Manifests) -> None:
    for _, each in rules_of(manifests):
        each.pop("timeouts", None)


@rule("polaris: httpRouteWildcardOrEmptyHost", overlays=LASTING)
def a_route_is_for_one_host_of_a_listener_that_is_there(manifests: Manifests) -> Iterator[str]:
    listeners = {
        (gateway["metadata"]["name"], listener["name"]): listener.get("hostname")
        for gateway in manifests.of("Gateway")
        for listener in gateway["spec"]["listeners"]
    }
    for route in manifests.of("HTTPRoute"):
        hosts = route["spec"].get("hostnames", [])
        for parent in route["spec"]["parentRefs"]:
            host = listeners.get((parent["name"], parent.get("sectionName", "")))
            if not host or hosts != [host] or "*" in host:
                yield f"{title(route)}: {hosts} at {parent}"


@a_route_is_for_one_host_of_a_listener_that_is_there.broken_by
def _(manifests: Manifests) -> None:
    manifests.of("HTTPRoute")[0]["spec"]["hostnames"] = ["*.example.com"]


@rule(
    "kubescape: C-0263", "polaris: tlsSettingsMissing", "polaris: gatewayTLSMissing",
    "polaris: gatewayCrossNamespaceCertificateRef", "polaris: httpRouteInsecureListener", overlays=LASTING,
)  # fmt: skip
def the_way_in_is_encrypted(manifests: Manifests) -> Iterator[str]:
    """By a certificate of this namespace; who comes without is sent on, and served nothing."""
    for gateway in manifests.of("Gateway"):
        for listener in gateway["spec"]["listeners"]:
            own = [ref for ref in listener.get("tls", {}).get("certificateRefs", ()) if "namespace" not in ref]
            secure = listener["protocol"] == "HTTPS" and own and all(ref["name"] in secrets(manifests) for ref in own)
            if not secure and not _only_redirects(manifests, listener["name"]):
                yield f"{title(gateway)} {listener['name']}"
    yield from (title(each) for each in manifests.of("Ingress"))
    if not manifests.of("Gateway"):
        yield "no gateway"


def _only_redirects(manifests: Manifests, listener: str) -> bool:
    routes = [
        route
        for route in manifests.of("HTTPRoute")
        if any(parent.get("sectionName") in (None, listener) for parent in route["spec"]["parentRefs"])
    ]
    rules = [each for route in routes for each in route["spec"]["rules"]]
    return all(any(step["type"] == "RequestRedirect" for step in each.get("filters", ())) for each in rules)


@the_way_in_is_encrypted.broken_by
def _(manifests: Manifests) -> None:
    for listener in manifests.of("Gateway")[0]["spec"]["listeners"]:
        listener.update(protocol="HTTP")
        listener.pop("tls", None)


@rule("polaris: gatewayAllowedRoutesAll", overlays=LASTING)
def no_other_namespace_hangs_a_route_on_the_gateway(manifests: Manifests) -> Iterator[str]:
    for gateway in manifests.of("Gateway"):
        for listener in gateway["spec"]["listeners"]:
            if listener.get("allowedRoutes", {}).get("namespaces", {}).get("from") != "Same":
                yield f"{title(gateway)} {listener['name']}"


@no_other_namespace_hangs_a_route_on_the_gateway.broken_by
def _(manifests: Manifests) -> None:
    manifests.of("Gateway")[0]["spec"]["listeners"][0]["allowedRoutes"] = {"namespaces": {"from": "All"}}
