"""What one object says of another is true: nothing dangles."""

from collections.abc import Iterator
from typing import Any

from tests.deploy.made import addresses, behind, secrets
from tests.deploy.manifests import Container, Manifests, Pod, plain, selects, title
from tests.deploy.rules.probes import PROBES
from tests.deploy.rules.rule import rule


@rule("kube-score: service-targets-pod")
def a_service_leads_to_one_workload_and_to_ports_that_it_has(manifests: Manifests) -> Iterator[str]:
    for address in addresses(manifests).values():
        pods = behind(manifests, address)
        if len(pods) != 1:
            yield f"{address.name} leads to {[pod.name for pod in pods]}"
        for pod in pods:
            for target in address.ports.values():
                if target not in pod.ports and target not in pod.ports.values():
                    yield f"{address.name}: {pod.name} has no port {target}"


@a_service_leads_to_one_workload_and_to_ports_that_it_has.broken_by
def _(manifests: Manifests) -> None:
    service = next(each for each in manifests.of("Service") if each["metadata"]["name"] == "orders")
    service["spec"]["ports"][0]["targetPort"] = "htpp"


@rule("kube-score: service-type", "kubescape: C-0256")
def no_service_is_open_to_the_outside_by_itself(manifests: Manifests) -> Iterator[str]:
    """The way in is a Gateway, or on a laptop a node port of the one door."""
    for each in manifests.of("Service"):
        kind = each["spec"].get("type", "ClusterIP")
        door = manifests.overlay == "local" and each["metadata"]["name"] == "gateway" and kind == "NodePort"
        if kind != "ClusterIP" and not door:
            yield f"{title(each)} {kind}"


@no_service_is_open_to_the_outside_by_itself.broken_by
def _(manifests: Manifests) -> None:
    manifests.of("Service")[0]["spec"]["type"] = "LoadBalancer"


@rule("kube-score: statefulset-has-servicename")
def a_stateful_set_has_its_service(manifests: Manifests) -> Iterator[str]:
    for pod in manifests.pods("StatefulSet"):
        service = manifests.find("Service", pod.workload["spec"].get("serviceName", ""))
        if not service or service["spec"].get("clusterIP") != "None":
            yield f"{pod}: {pod.workload['spec'].get('serviceName')}"
        elif not selects({"matchLabels": service["spec"]["selector"]}, pod.labels):
            yield f"{pod}: {title(service)} selects others"


@a_stateful_set_has_its_service.broken_by
def _(manifests: Manifests) -> None:
    manifests.of("StatefulSet")[0]["spec"]["serviceName"] = "nobody"


@rule("banyan")
def a_probe_asks_a_port_that_the_container_has(manifests: Manifests) -> Iterator[str]:
    for each in manifests.containers():
        ports = {port.get("name") for port in each.spec.get("ports", ())}
        ports |= {port["containerPort"] for port in each.spec.get("ports", ())}
        for probe in PROBES:
            for kind in ("httpGet", "tcpSocket"):
                asked = each.spec.get(probe, {}).get(kind, {}).get("port")
                if asked is not None and asked not in ports:
                    yield f"{each} {probe}: {asked}"


@a_probe_asks_a_port_that_the_container_has.broken_by
def _(manifests: Manifests) -> None:
    server = next(each for each in manifests.servers() if "httpGet" in each.spec.get("readinessProbe", {}))
    server.spec["readinessProbe"]["httpGet"]["port"] = "nowhere"


def referred(pod: Pod) -> Iterator[tuple[str, str, set[str]]]:
    """The ConfigMaps and Secrets that a pod needs: kind, name, and the keys it names."""
    for volume in pod.spec.get("volumes", ()):
        for source in [volume, *volume.get("projected", {}).get("sources", ())]:
            yield from _of_volume(source)
    for container in pod.containers():
        yield from _of_environment(container)


def _of_volume(source: dict[str, Any]) -> Iterator[tuple[str, str, set[str]]]:
    for key, kind in (("configMap", "ConfigMap"), ("secret", "Secret")):
        if key in source and not source[key].get("optional"):
            named = source[key]
            yield kind, named.get("secretName") or named["name"], {item["key"] for item in named.get("items", ())}


def _of_environment(container: Container) -> Iterator[tuple[str, str, set[str]]]:
    for variable in container.spec.get("env", ()):
        for key, kind in (("configMapKeyRef", "ConfigMap"), ("secretKeyRef", "Secret")):
            if named := variable.get("valueFrom", {}).get(key):
                yield kind, named["name"], {named["key"]}
    for source in container.spec.get("envFrom", ()):
        for key, kind in (("configMapRef", "ConfigMap"), ("secretRef", "Secret")):
            if key in source:
                yield kind, source[key]["name"], set()


@rule("banyan")
def what_a_pod_is_given_is_there(manifests: Manifests) -> Iterator[str]:
    there = {"Secret": secrets(manifests), "ConfigMap": _config_maps(manifests)}
    for pod in manifests.pods():
        for kind, name, keys in referred(pod):
            if name not in there[kind]:
                yield f"{pod}: {kind} {name}"
            elif not keys <= there[kind][name]:
                yield f"{pod}: {kind} {name} without {sorted(keys - there[kind][name])}"


def _config_maps(manifests: Manifests) -> dict[str, set[str]]:
    return {
        each["metadata"]["name"]: {*each.get("data", {}), *each.get("binaryData", {})}
        for each in manifests.of("ConfigMap")
    }


@what_a_pod_is_given_is_there.broken_by
def _(manifests: Manifests) -> None:
    manifests.objects[:] = [each for each in manifests.objects if title(each) != _a_secret_of_orders(manifests)]


def _a_secret_of_orders(manifests: Manifests) -> str:
    (orders,) = (pod for pod in manifests.pods() if pod.name == "orders")
    name = next(name for kind, name, _ in referred(orders) if kind == "Secret")
    (maker,) = (
        each
        for each in manifests.of("Secret", "ExternalSecret")
        if name in (each["metadata"]["name"], each.get("spec", {}).get("target", {}).get("name"))
    )
    return title(maker)


@rule("banyan")
def nothing_is_left_over_that_nobody_uses(manifests: Manifests) -> Iterator[str]:
    """What the generator of a ConfigMap makes and no pod refers to is a mistake in a name."""
    used = {name for pod in manifests.pods() for kind, name, _ in referred(pod) if kind == "ConfigMap"}
    yield from (f"ConfigMap/{name}" for name in manifests.names("ConfigMap") - used if plain(name) != "release")


@nothing_is_left_over_that_nobody_uses.broken_by
def _(manifests: Manifests) -> None:
    manifests.objects.append({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "old"}, "data": {}})


@rule("banyan")
def a_mount_has_its_volume_and_a_volume_its_mount(manifests: Manifests) -> Iterator[str]:
    for pod in manifests.pods():
        volumes = {each["name"] for each in pod.spec.get("volumes", ())}
        claims = {each["metadata"]["name"] for each in pod.workload["spec"].get("volumeClaimTemplates", ())}
        mounts = {mount["name"] for each in pod.containers() for mount in each.spec.get("volumeMounts", ())}
        yield from (f"{pod} {name}" for name in (volumes | claims) ^ mounts)


@a_mount_has_its_volume_and_a_volume_its_mount.broken_by
def _(manifests: Manifests) -> None:
    manifests.pods()[0].spec.setdefault("volumes", []).append({"name": "more", "emptyDir": {"sizeLimit": "1Mi"}})


@rule("banyan")
def accounts_claims_and_classes_are_there(manifests: Manifests) -> Iterator[str]:
    built_in = {"system-cluster-critical", "system-node-critical"}
    for pod in manifests.pods():
        if pod.spec.get("serviceAccountName", "default") not in manifests.names("ServiceAccount") | {"default"}:
            yield f"{pod}: ServiceAccount {pod.spec['serviceAccountName']}"
        name = pod.spec.get("priorityClassName")
        if name and name not in manifests.names("PriorityClass") | built_in:
            yield f"{pod}: PriorityClass {name}"
        for volume in pod.spec.get("volumes", ()):
            claim = volume.get("persistentVolumeClaim", {}).get("claimName")
            if claim and claim not in manifests.names("PersistentVolumeClaim"):
                yield f"{pod}: PersistentVolumeClaim {claim}"
    for each in manifests.of("Cluster"):
        name = each["spec"].get("priorityClassName")
        if name and name not in manifests.names("PriorityClass"):
            yield f"{title(each)}: PriorityClass {name}"


@accounts_claims_and_classes_are_there.broken_by
def _(manifests: Manifests) -> None:
    manifests.objects[:] = [each for each in manifests.objects if each["kind"] != "ServiceAccount"]
