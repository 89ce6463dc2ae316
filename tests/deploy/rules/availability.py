"""Replicas: how many, how they change, and how many of them anybody may take away at once."""

from collections.abc import Iterator
from typing import Any

from tests.deploy.manifests import Manifests, Pod, selects, title
from tests.deploy.quantities import number_of
from tests.deploy.rendering import Object
from tests.deploy.rules.rule import LASTING, rule

_SCALED = ("HorizontalPodAutoscaler", "ScaledObject")


def scalers(manifests: Manifests) -> dict[str, Object]:
    """What decides on the number of replicas, by the workload's name."""
    return {each["spec"]["scaleTargetRef"]["name"]: each for each in manifests.of(*_SCALED)}


def bounds(scaler: Object) -> tuple[int, int]:
    """The least and the most replicas."""
    spec = scaler["spec"]
    if scaler["kind"] == "ScaledObject":
        return spec.get("minReplicaCount", 0), spec.get("maxReplicaCount", 100)
    return spec.get("minReplicas", 1), spec["maxReplicas"]


def least(manifests: Manifests, pod: Pod) -> int:
    """How many there are at the quietest time."""
    scaler = scalers(manifests).get(pod.name)
    return bounds(scaler)[0] if scaler else int(pod.workload["spec"].get("replicas", 1))


def budgets(manifests: Manifests, pod: Pod) -> list[Object]:
    """The disruption budgets that hold for a pod."""
    return [each for each in manifests.of("PodDisruptionBudget") if selects(each["spec"].get("selector"), pod.labels)]


@rule("banyan", overlays=LASTING)
def there_are_two_or_more_of_everything(manifests: Manifests) -> Iterator[str]:
    yield from (str(pod) for pod in manifests.pods("Deployment", "StatefulSet") if least(manifests, pod) < 2)
    yield from (title(each) for each in manifests.of("Cluster") if each["spec"]["instances"] < 2)


@there_are_two_or_more_of_everything.broken_by
def _(manifests: Manifests) -> None:
    manifests.of("Cluster")[0]["spec"]["instances"] = 1


@rule("kube-score: deployment-targeted-by-hpa-does-not-have-replicas-configured")
def an_update_does_not_undo_the_scaling(manifests: Manifests) -> Iterator[str]:
    for pod in manifests.pods("Deployment", "StatefulSet"):
        if pod.name in scalers(manifests) and "replicas" in pod.workload["spec"]:
            yield str(pod)


@an_update_does_not_undo_the_scaling.broken_by
def _(manifests: Manifests) -> None:
    next(pod for pod in manifests.pods() if pod.name in scalers(manifests)).workload["spec"]["replicas"] = 2


@rule("polaris: hpaMaxAvailability", "polaris: hpaMinAvailability", "kube-score: horizontalpodautoscaler-replicas")
def there_is_room_to_scale(manifests: Manifests) -> Iterator[str]:
    for each in manifests.of(*_SCALED):
        lowest, highest = bounds(each)
        if not 1 <= lowest < highest:
            yield f"{title(each)} {lowest}…{highest}"
        if lowest < 2 and manifests.overlay in LASTING:
            yield f"{title(each)} begins at {lowest}"


@there_is_room_to_scale.broken_by
def _(manifests: Manifests) -> None:
    spec = manifests.of("HorizontalPodAutoscaler")[0]["spec"]
    spec["minReplicas"] = spec["maxReplicas"]


@rule("kube-score: horizontalpodautoscaler-has-target")
def a_scaler_has_a_target(manifests: Manifests) -> Iterator[str]:
    for each in manifests.of(*_SCALED):
        target = each["spec"]["scaleTargetRef"]
        if not manifests.find(target.get("kind", "Deployment"), target["name"]):
            yield f"{title(each)}: {target}"


@a_scaler_has_a_target.broken_by
def _(manifests: Manifests) -> None:
    manifests.of(*_SCALED)[0]["spec"]["scaleTargetRef"]["name"] = "nobody"


@rule("banyan")
def a_workload_is_scaled_by_one_scaler(manifests: Manifests) -> Iterator[str]:
    """KEDA makes an HPA of its own: a second one would pull the other way."""
    names = [each["spec"]["scaleTargetRef"]["name"] for each in manifests.of(*_SCALED)]
    yield from (name for name in set(names) if names.count(name) > 1)


@a_workload_is_scaled_by_one_scaler.broken_by
def _(manifests: Manifests) -> None:
    scaler = manifests.of(*_SCALED)[0]
    manifests.objects.append(scaler)


@rule("banyan")
def scaling_down_does_not_flap(manifests: Manifests) -> Iterator[str]:
    """The highest wish of five minutes counts, and no more than half may go in a minute."""
    for each in manifests.of(*_SCALED):
        down = behavior(each).get("scaleDown", {})
        if down.get("stabilizationWindowSeconds", 0) < 300 or not down.get("policies"):
            yield title(each)


def behavior(scaler: Object) -> dict[str, Any]:
    """Of an HPA, or of the one that KEDA makes."""
    spec = scaler["spec"]
    if scaler["kind"] == "ScaledObject":
        spec = spec.get("advanced", {}).get("horizontalPodAutoscalerConfig", {})
    return dict(spec.get("behavior", {}))


@scaling_down_does_not_flap.broken_by
def _(manifests: Manifests) -> None:
    manifests.of("HorizontalPodAutoscaler")[0]["spec"].pop("behavior")


@rule("banyan")
def a_replica_is_busy_before_another_one_comes(manifests: Manifests) -> Iterator[str]:
    """In processor time, and not in percent of a request: that is what it takes at rest, and no measure of busy."""
    for each in manifests.of(*_SCALED):
        pods = [pod for pod in manifests.pods() if pod.name == each["spec"]["scaleTargetRef"]["name"]]
        mains = [one.spec for pod in pods for one in pod.containers() if not one.init]
        limit = max((number_of(spec["resources"]["limits"]["cpu"]) for spec in mains), default=number_of(1))
        for kind, value in processor_time(each) or [("nothing", "0")]:
            if kind != "AverageValue" or not limit / 4 <= number_of(value) < limit:
                yield f"{title(each)} {kind} {value} of {limit}"


def processor_time(scaler: Object) -> list[tuple[str, str]]:
    """How it is measured, and from where on there are too few."""
    spec = scaler["spec"]
    if scaler["kind"] == "ScaledObject":
        found = [each for each in spec["triggers"] if each["type"] == "cpu"]
        return [(each.get("metricType", ""), each["metadata"]["value"]) for each in found]
    targets = [each["resource"]["target"] for each in spec.get("metrics", ()) if each["type"] == "Resource"]
    return [(each["type"], each.get("averageValue", "0")) for each in targets]


@a_replica_is_busy_before_another_one_comes.broken_by
def _(manifests: Manifests) -> None:
    target = manifests.of("HorizontalPodAutoscaler")[0]["spec"]["metrics"][0]["resource"]["target"]
    target.update(type="Utilization", averageUtilization=70)


@rule(
    "polaris: missingPodDisruptionBudget",
    "kube-score: deployment-has-poddisruptionbudget",
    "kube-score: statefulset-has-poddisruptionbudget",
    overlays=LASTING,
)
def each_workload_has_one_disruption_budget(manifests: Manifests) -> Iterator[str]:
    for pod in manifests.pods("Deployment", "StatefulSet"):
        if len(budgets(manifests, pod)) != 1:
            yield f"{pod} has {[title(each) for each in budgets(manifests, pod)]}"
    yield from (title(each) for each in manifests.of("Cluster") if each["spec"].get("enablePDB") is False)


@each_workload_has_one_disruption_budget.broken_by
def _(manifests: Manifests) -> None:
    manifests.of("PodDisruptionBudget")[0]["spec"]["selector"]["matchLabels"] = {"app": "nobody"}


@rule(
    "polaris: pdbDisruptionsIsZero",
    "kube-score: poddisruptionbudget-has-policy",
    "polaris: pdbMinAvailableGreaterThanHPAMinReplicas",
)
def a_node_can_be_drained_and_one_replica_stays(manifests: Manifests) -> Iterator[str]:
    """`maxUnavailable: 1` of two or more; and what is not ready anyway may go: it would block the drain for ever."""
    for each in manifests.of("PodDisruptionBudget"):
        spec = each["spec"]
        if spec.get("maxUnavailable") != 1 or spec.get("unhealthyPodEvictionPolicy") != "AlwaysAllow":
            yield f"{title(each)} {spec.get('maxUnavailable')}, {spec.get('unhealthyPodEvictionPolicy')}"
        pods = [pod for pod in manifests.pods() if selects(spec.get("selector"), pod.labels)]
        yield from (f"{title(each)} lets the only {pod} go" for pod in pods if least(manifests, pod) < 2)
        if not pods:
            yield f"{title(each)} is for nobody"


@a_node_can_be_drained_and_one_replica_stays.broken_by
def _(manifests: Manifests) -> None:
    manifests.of("PodDisruptionBudget")[0]["spec"]["maxUnavailable"] = 0


@rule("banyan")
def a_new_version_takes_no_replica_away(manifests: Manifests) -> Iterator[str]:
    for pod in manifests.pods("Deployment"):
        strategy = pod.workload["spec"].get("strategy", {})
        if strategy.get("rollingUpdate", {}).get("maxUnavailable") != 0:
            yield f"{pod} {strategy}"


@a_new_version_takes_no_replica_away.broken_by
def _(manifests: Manifests) -> None:
    manifests.pods("Deployment")[0].workload["spec"]["strategy"] = {"type": "Recreate"}
