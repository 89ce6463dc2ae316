"""What a pod shares with its node and its cluster, how it is labelled, and who it is."""

from collections.abc import Iterator

from tests.deploy.manifests import Manifests, Pod, title
from tests.deploy.rendering import Object
from tests.deploy.rules.rule import LASTING, rule

_SHARED = ("hostNetwork", "hostPID", "hostIPC", "shareProcessNamespace")
# What a pod may mount; a hostPath, a socket of the node, is none of them.
_VOLUMES = {"configMap", "secret", "emptyDir", "persistentVolumeClaim", "projected"}
_SYSTEM = {"default", "kube-system", "kube-public"}
_CLUSTER_WIDE = {"Namespace", "PriorityClass", "ClusterSecretStore", "ClusterIssuer", "StorageClass", "GatewayClass"}


def first(manifests: Manifests) -> Pod:
    """Some workload, for those who break things."""
    return manifests.pods()[0]


@rule(
    "polaris: hostNetworkSet", "polaris: hostPIDSet", "polaris: hostIPCSet",
    "kubescape: C-0041", "kubescape: C-0275", "kubescape: C-0276",
)  # fmt: skip
def no_namespace_of_the_node_is_shared(manifests: Manifests) -> Iterator[str]:
    for pod in manifests.pods():
        yield from (f"{pod} {key}" for key in _SHARED if pod.spec.get(key))


@no_namespace_of_the_node_is_shared.broken_by
def _(manifests: Manifests) -> None:
    first(manifests).spec["hostPID"] = True


@rule("polaris: hostPathSet", "kubescape: C-0048", "kubescape: C-0045", "kubescape: C-0074")
def nothing_of_the_node_is_mounted(manifests: Manifests) -> Iterator[str]:
    for pod in manifests.pods():
        for volume in pod.spec.get("volumes", ()):
            if not volume.keys() - {"name"} <= _VOLUMES:
                yield f"{pod} {volume['name']}"


@nothing_of_the_node_is_mounted.broken_by
def _(manifests: Manifests) -> None:
    socket = {"name": "engine", "hostPath": {"path": "/var/run/docker.sock"}}
    first(manifests).spec.setdefault("volumes", []).append(socket)


@rule("banyan")
def what_is_written_beside_a_volume_is_bounded(manifests: Manifests) -> Iterator[str]:
    """An emptyDir without a size takes the node's disk, or its memory."""
    for pod in manifests.pods():
        for volume in pod.spec.get("volumes", ()):
            if "emptyDir" in volume and "sizeLimit" not in (volume["emptyDir"] or {}):
                yield f"{pod} {volume['name']}"


@what_is_written_beside_a_volume_is_bounded.broken_by
def _(manifests: Manifests) -> None:
    first(manifests).spec.setdefault("volumes", []).append({"name": "more", "emptyDir": {}})


@rule("polaris: automountServiceAccountToken", "kubescape: C-0034", "kubescape: C-0261", "kubescape: C-0053")
def nobody_has_a_token_for_the_cluster(manifests: Manifests) -> Iterator[str]:
    yield from (str(pod) for pod in manifests.pods() if pod.spec.get("automountServiceAccountToken") is not False)
    for account in manifests.of("ServiceAccount"):
        if account.get("automountServiceAccountToken") is not False:
            yield title(account)


@nobody_has_a_token_for_the_cluster.broken_by
def _(manifests: Manifests) -> None:
    first(manifests).spec["automountServiceAccountToken"] = True


@rule("kubescape: C-0189", "kubescape: C-0225")
def each_workload_is_somebody_of_its_own(manifests: Manifests) -> Iterator[str]:
    accounts = [pod.spec.get("serviceAccountName", "default") for pod in manifests.pods()]
    for pod, account in zip(manifests.pods(), accounts, strict=True):
        if account == "default" or accounts.count(account) > 1:
            yield f"{pod} is {account}"


@each_workload_is_somebody_of_its_own.broken_by
def _(manifests: Manifests) -> None:
    del first(manifests).spec["serviceAccountName"]


@rule("banyan")
def no_pod_is_told_of_all_services(manifests: Manifests) -> Iterator[str]:
    """Each Service is seven variables for each pod otherwise, and their names can collide with settings."""
    yield from (str(pod) for pod in manifests.pods() if pod.spec.get("enableServiceLinks") is not False)


@no_pod_is_told_of_all_services.broken_by
def _(manifests: Manifests) -> None:
    first(manifests).spec["enableServiceLinks"] = True


@rule("kubescape: C-0076", "kubescape: C-0077", "polaris: metadataAndInstanceMismatched")
def labels_are_the_usual_ones_and_tell_the_name(manifests: Manifests) -> Iterator[str]:
    """A Job has the release in its name as well, since none can be changed."""
    for pod in manifests.pods():
        name = pod.name.rpartition("-")[0] if pod.kind == "Job" else pod.name
        for labels in (pod.workload["metadata"].get("labels", {}), pod.labels):
            if labels.get("app.kubernetes.io/name") != name:
                yield f"{pod} name"
            if labels.get("app.kubernetes.io/part-of") != "banyan" or "app.kubernetes.io/component" not in labels:
                yield f"{pod} part-of, component"


@labels_are_the_usual_ones_and_tell_the_name.broken_by
def _(manifests: Manifests) -> None:
    first(manifests).template["metadata"]["labels"]["app.kubernetes.io/name"] = "somebody"


@rule(
    "kube-score: deployment-pod-selector-labels-match-template-metadata-labels",
    "kube-score: statefulset-pod-selector-labels-match-template-metadata-labels",
)
def a_workload_selects_its_own_pods_and_no_others(manifests: Manifests) -> Iterator[str]:
    pods = manifests.pods("Deployment", "StatefulSet", "DaemonSet")
    for pod in pods:
        wanted = pod.workload["spec"]["selector"]["matchLabels"].items()
        matched = [str(other) for other in pods if wanted <= other.labels.items()]
        if matched != [str(pod)]:
            yield f"{pod} selects {matched}"


@a_workload_selects_its_own_pods_and_no_others.broken_by
def _(manifests: Manifests) -> None:
    first(manifests).workload["spec"]["selector"]["matchLabels"] = {"app.kubernetes.io/part-of": "banyan"}


@rule("kubescape: C-0061", "kubescape: C-0212")
def everything_is_in_the_namespace_of_its_environment(manifests: Manifests) -> Iterator[str]:
    (namespace,) = manifests.names("Namespace") or {""}
    for each in manifests.objects:
        if each["kind"] not in _CLUSTER_WIDE and each["metadata"].get("namespace") != namespace:
            yield f"{title(each)} in {each['metadata'].get('namespace')}"
    yield from {namespace} & _SYSTEM


@everything_is_in_the_namespace_of_its_environment.broken_by
def _(manifests: Manifests) -> None:
    first(manifests).workload["metadata"]["namespace"] = "default"


@rule("banyan")
def pod_security_is_restricted(manifests: Manifests) -> Iterator[str]:
    for namespace in manifests.of("Namespace"):
        labels = namespace["metadata"].get("labels", {})
        for mode in ("enforce", "audit", "warn"):
            if labels.get(f"pod-security.kubernetes.io/{mode}") != "restricted":
                yield f"{title(namespace)} {mode}"
    if not manifests.of("Namespace"):
        yield "no namespace"


@pod_security_is_restricted.broken_by
def _(manifests: Manifests) -> None:
    manifests.of("Namespace")[0]["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] = "baseline"


@rule("kubescape: C-0073")
def there_is_no_pod_that_nobody_makes_again(manifests: Manifests) -> Iterator[str]:
    yield from (title(each) for each in manifests.of("Pod", "ReplicaSet", "ReplicationController"))


@there_is_no_pod_that_nobody_makes_again.broken_by
def _(manifests: Manifests) -> None:
    first(manifests).workload["kind"] = "ReplicaSet"


@rule("polaris: priorityClassNotSet", overlays=LASTING)
def who_goes_first_when_room_is_short_is_known(manifests: Manifests) -> Iterator[str]:
    yield from (str(pod) for pod in manifests.pods() if not pod.spec.get("priorityClassName"))


@who_goes_first_when_room_is_short_is_known.broken_by
def _(manifests: Manifests) -> None:
    del first(manifests).spec["priorityClassName"]


@rule(
    "polaris: topologySpreadConstraint",
    "kube-score: deployment-has-host-podantiaffinity",
    "kube-score: pod-topology-spread-constraints",
)
def replicas_are_spread_over_nodes_and_zones(manifests: Manifests) -> Iterator[str]:
    for pod in manifests.pods("Deployment", "StatefulSet"):
        spread = pod.spec.get("topologySpreadConstraints", ())
        keys = {each["topologyKey"] for each in spread if _selects(each, pod)}
        if not {"kubernetes.io/hostname", "topology.kubernetes.io/zone"} <= keys and _may_be_several(manifests, pod):
            yield f"{pod} over {sorted(keys)}"


def _selects(constraint: Object, pod: Pod) -> bool:
    wanted = constraint.get("labelSelector", {}).get("matchLabels", {}).items()
    return bool(wanted) and wanted <= pod.labels.items()


def _may_be_several(manifests: Manifests, pod: Pod) -> bool:
    scaled = manifests.of("HorizontalPodAutoscaler", "ScaledObject")
    targets = {each["spec"]["scaleTargetRef"]["name"] for each in scaled}
    return pod.name in targets or pod.workload["spec"].get("replicas", 1) > 1


@replicas_are_spread_over_nodes_and_zones.broken_by
def _(manifests: Manifests) -> None:
    for pod in manifests.pods("Deployment"):
        for each in pod.spec.get("topologySpreadConstraints", ()):
            each["labelSelector"] = {"matchLabels": {"app": "nobody"}}
