"""What is not in an overlay because an operator makes it from what is: Secrets, Services, the pods of a database."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from tests.deploy.manifests import Manifests, Pod, selects
from tests.deploy.rendering import Object

TLS_KEYS = {"tls.crt", "tls.key", "ca.crt"}
NAME = "app.kubernetes.io/name"
POSTGRES = 5432


@dataclass(frozen=True)
class Address:
    """A Service: its ports by name and number, each with the port of the pod that it leads to."""

    name: str
    ports: Mapping[str | int, str | int]
    selector: Mapping[str, str]
    headless: bool = False


@dataclass(frozen=True)
class Endpoint:
    """Pods that are alike: what network policies see of them."""

    name: str
    labels: Mapping[str, str]
    ports: Mapping[str, int]


def secrets(manifests: Manifests) -> Mapping[str, set[str]]:
    """The keys of each Secret that there will be."""
    found: dict[str, set[str]] = {}
    for each in manifests.of("Secret"):
        found[each["metadata"]["name"]] = {*each.get("data", {}), *each.get("stringData", {})}
    for each in manifests.of("ExternalSecret"):
        target = each["spec"].get("target", {})
        template = target.get("template", {}).get("data")
        keys = {entry["secretKey"] for entry in each["spec"].get("data", ())}
        found[target.get("name", each["metadata"]["name"])] = set(template) if template else keys
    for each in manifests.of("Certificate"):
        found[each["spec"]["secretName"]] = set(TLS_KEYS)
    for each in manifests.of("Cluster"):
        name = each["metadata"]["name"]
        found |= {f"{name}-ca": {"ca.crt"}, f"{name}-server": TLS_KEYS, f"{name}-replication": TLS_KEYS}
    return found


def addresses(manifests: Manifests) -> Mapping[str, Address]:
    """Each Service by its name."""
    found = {each["metadata"]["name"]: _address(each) for each in manifests.of("Service")}
    for each in manifests.of("Cluster"):
        for name in _services_of(each):
            selector = {"cnpg.io/cluster": each["metadata"]["name"]}
            found[name] = Address(name, {"postgres": POSTGRES, POSTGRES: POSTGRES}, selector)
    return found


def _address(service: Object) -> Address:
    ports: dict[str | int, str | int] = {}
    for port in service["spec"]["ports"]:
        target = port.get("targetPort", port["port"])
        ports[port["port"]] = target
        if "name" in port:
            ports[port["name"]] = target
    spec = service["spec"]
    return Address(service["metadata"]["name"], ports, spec.get("selector", {}), spec.get("clusterIP") == "None")


def _services_of(cluster: Object) -> Iterator[str]:
    services = cluster["spec"].get("managed", {}).get("services", {})
    left_out = services.get("disabledDefaultServices", ())
    yield from (f"{cluster['metadata']['name']}-{kind}" for kind in ("rw", "ro", "r") if kind not in left_out)
    yield from (each["serviceTemplate"]["metadata"]["name"] for each in services.get("additional", ()))


def endpoints(manifests: Manifests) -> list[Endpoint]:
    """All pods of the namespace, those of operators as well."""
    own = [Endpoint(pod.labels.get(NAME, pod.name), pod.labels, ports_of(pod)) for pod in manifests.pods()]
    for each in manifests.of("Cluster"):
        name = each["metadata"]["name"]
        labels = {"cnpg.io/cluster": name, **each["spec"].get("inheritedMetadata", {}).get("labels", {})}
        own.append(Endpoint(name, labels, {"postgresql": POSTGRES, "metrics": 9187, "status": 8000}))
    return own


def ports_of(pod: Pod) -> Mapping[str, int]:
    """Of all its containers, by name."""
    ports = [port for each in pod.containers() for port in each.spec.get("ports", ())]
    return {port.get("name", str(port["containerPort"])): port["containerPort"] for port in ports}


def behind(manifests: Manifests, address: Address) -> list[Endpoint]:
    """The pods that a Service leads to."""
    if not address.selector:
        return []
    return [each for each in endpoints(manifests) if selects({"matchLabels": address.selector}, each.labels)]


def port_behind(manifests: Manifests, host: str, port: int) -> dict[str, int]:
    """The pods that answer at a host and a port, with the port of theirs that it is; nobody, if it leads nowhere.

    A Service without an address of its own is a name for its pods: whatever port is asked for is theirs.
    """
    address = addresses(manifests).get(host)
    if not address or (port not in address.ports and not address.headless):
        return {}
    target = address.ports.get(port, port)
    pods = behind(manifests, address)
    numbers = {pod.name: pod.ports.get(target, 0) if isinstance(target, str) else target for pod in pods}
    return {pod.name: numbers[pod.name] for pod in pods if numbers[pod.name] in pod.ports.values()}
