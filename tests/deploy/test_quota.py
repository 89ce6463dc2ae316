"""An environment's quota: all that its autoscalers may come to fits, while it is rolled out, and not much more."""

from collections.abc import Mapping
from decimal import Decimal

import pytest

from tests.deploy.conftest import Render
from tests.deploy.manifests import Manifests, Pod
from tests.deploy.quantities import number_of
from tests.deploy.rendering import Object

# What runs beside a database in its pod: the plugin that archives, with what the LimitRange gives it.
SIDECARS_OF_A_DATABASE = 1


@pytest.fixture(params=("staging", "production"))
def lasting(request: pytest.FixtureRequest, rendered: Render) -> Manifests:
    return rendered(request.param)


def test_everything_fits_at_its_largest_and_not_much_more(lasting: Manifests) -> None:
    (quota,) = lasting.of("ResourceQuota")
    hard = {name: number_of(quantity) for name, quantity in quota["spec"]["hard"].items()}
    wanted = atmost(lasting)
    assert {name for name in wanted if wanted[name] > hard[name]} == set(), wanted
    assert {name for name in wanted if hard[name] > Decimal("2.5") * wanted[name]} == set(), "so much limits nothing"


def test_what_comes_without_figures_gets_some(lasting: Manifests) -> None:
    (limits,) = lasting.of("LimitRange")
    (container,) = (each for each in limits["spec"]["limits"] if each["type"] == "Container")
    assert {"cpu", "memory"} <= set(container["defaultRequest"])
    assert "memory" in container["default"]
    for each in lasting.containers():
        for name, most in container["max"].items():
            assert number_of(each.spec["resources"]["limits"][name]) <= number_of(most), each


def atmost(manifests: Manifests) -> Mapping[str, Decimal]:
    """What may be asked for at once."""
    total: dict[str, Decimal] = {}
    for pod in manifests.pods():
        _add(total, _of_pod(pod), most(manifests, pod))
    for each in manifests.of("Cluster"):
        _add(total, _of_database(manifests, each), Decimal(each["spec"]["instances"]))
    for pod in manifests.pods("StatefulSet"):
        sizes = [claim["spec"]["resources"]["requests"] for claim in pod.workload["spec"]["volumeClaimTemplates"]]
        claims = {
            "persistentvolumeclaims": Decimal(len(sizes)),
            "requests.storage": sum((number_of(size["storage"]) for size in sizes), Decimal()),
        }
        _add(total, claims, Decimal(pod.workload["spec"]["replicas"]))
    return total


def most(manifests: Manifests, pod: Pod) -> Decimal:
    """Its replicas, and those that there are more while it is rolled out."""
    spec = pod.workload["spec"]
    surge = int(spec["strategy"]["rollingUpdate"]["maxSurge"]) if pod.kind == "Deployment" else 0
    for each in manifests.of("HorizontalPodAutoscaler", "ScaledObject"):
        if each["metadata"]["name"] == pod.name:
            return Decimal(each["spec"].get("maxReplicas") or each["spec"]["maxReplicaCount"]) + surge
    return Decimal(spec["replicas"]) + surge


def _of_pod(pod: Pod) -> Mapping[str, Decimal]:
    """As the scheduler counts: what runs together, or the largest that runs once if that is more."""
    found = {"pods": Decimal(1)}
    for name, kind, resource in (
        ("requests.cpu", "requests", "cpu"),
        ("requests.memory", "requests", "memory"),
        ("limits.memory", "limits", "memory"),
    ):
        figures = [(each.runs_once, number_of(each.spec["resources"][kind][resource])) for each in pod.containers()]
        together = sum((figure for once, figure in figures if not once), Decimal())
        found[name] = max([together, *(figure for once, figure in figures if once)])
    return found


def _of_database(manifests: Manifests, cluster: Object) -> Mapping[str, Decimal]:
    spec = cluster["spec"]
    (limits,) = manifests.of("LimitRange")
    (beside,) = (each for each in limits["spec"]["limits"] if each["type"] == "Container")
    more = SIDECARS_OF_A_DATABASE
    return {
        "pods": Decimal(1),
        "requests.cpu": number_of(spec["resources"]["requests"]["cpu"])
        + more * number_of(beside["defaultRequest"]["cpu"]),
        "requests.memory": number_of(spec["resources"]["requests"]["memory"])
        + more * number_of(beside["defaultRequest"]["memory"]),
        "limits.memory": number_of(spec["resources"]["limits"]["memory"])
        + more * number_of(beside["default"]["memory"]),
        "requests.storage": number_of(spec["storage"]["size"]) + number_of(spec["walStorage"]["size"]),
        "persistentvolumeclaims": Decimal(2),
    }


def _add(total: dict[str, Decimal], figures: Mapping[str, Decimal], times: Decimal) -> None:
    for name, figure in figures.items():
        total[name] = total.get(name, Decimal()) + figure * times
