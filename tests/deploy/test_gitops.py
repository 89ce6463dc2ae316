"""What Argo CD may make is what the overlays consist of, in the order in which it is needed."""

import itertools
from typing import Any

import pytest

from deploy.local.place import ROOT
from tests.deploy.conftest import Render
from tests.deploy.manifests import Manifests
from tests.deploy.rendering import Object

WAVE = "argocd.argoproj.io/sync-wave"
ENVIRONMENTS = ("staging", "production")
_CLUSTER_WIDE = {"Namespace", "PriorityClass", "ClusterSecretStore"}


def group(each: Object) -> str:
    return str(each["apiVersion"]).rpartition("/")[0]


def wave(each: Object) -> int:
    return int(each["metadata"].get("annotations", {}).get(WAVE, "0"))


def project(gitops: Manifests, environment: str) -> Any:
    found = gitops.find("AppProject", f"banyan-{environment}")
    assert found
    return found["spec"]


def elements(gitops: Manifests) -> list[Any]:
    (applications,) = gitops.of("ApplicationSet")
    return [each for one in applications["spec"]["generators"] for each in one["list"]["elements"]]


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_an_environment_may_be_what_its_overlay_is_and_no_more(
    environment: str, gitops: Manifests, rendered: Render
) -> None:
    spec, objects = project(gitops, environment), rendered(environment).objects
    inside = {(group(each), each["kind"]) for each in objects if each["kind"] not in _CLUSTER_WIDE}
    assert {(each["group"], each["kind"]) for each in spec["namespaceResourceWhitelist"]} == inside
    beyond = {(group(each), each["kind"]) for each in objects if each["kind"] in _CLUSTER_WIDE}
    allowed = spec["clusterResourceWhitelist"]
    assert {(each["group"], each["kind"]) for each in allowed} == beyond
    assert all(each["name"].startswith(f"banyan-{environment}") for each in allowed)


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_an_environment_is_in_the_namespace_that_its_project_may_use(
    environment: str, gitops: Manifests, rendered: Render
) -> None:
    (destination,) = project(gitops, environment)["destinations"]
    assert {destination["namespace"]} == rendered(environment).names("Namespace")


def test_there_is_an_application_for_each_environment_and_it_has_a_folder(gitops: Manifests) -> None:
    assert [each["environment"] for each in elements(gitops)] == list(ENVIRONMENTS)
    (applications,) = gitops.of("ApplicationSet")
    path = applications["spec"]["template"]["spec"]["source"]["path"]
    for environment in ENVIRONMENTS:
        folder = ROOT / path.replace("{{ .environment }}", environment)
        assert (folder / "kustomization.yaml").is_file()


def test_production_moves_when_somebody_says_so(gitops: Manifests) -> None:
    assert {each["environment"]: each["automatic"] for each in elements(gitops)} == {
        "staging": True,
        "production": False,
    }


def test_a_sync_brings_everything_that_the_branch_says(gitops: Manifests) -> None:
    """What has an autoscaler names no replicas (kube-score has a rule of it), so nothing need be left out."""
    (applications,) = gitops.of("ApplicationSet")
    assert "ignoreDifferences" not in applications["spec"]["template"]["spec"]


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_a_secret_of_a_certificate_is_no_orphan(environment: str, gitops: Manifests) -> None:
    """Orphans are looked for among the kinds that a project may make."""
    spec = project(gitops, environment)
    assert spec["orphanedResources"]["warn"]
    assert "Secret" not in {each["kind"] for each in spec["namespaceResourceWhitelist"]}


def test_whoever_deletes_an_application_deletes_no_data(gitops: Manifests) -> None:
    (applications,) = gitops.of("ApplicationSet")
    assert applications["spec"]["syncPolicy"]["preserveResourcesOnDeletion"] is True


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_what_others_need_comes_in_an_earlier_wave(environment: str, rendered: Render) -> None:
    """The namespace, what keeps secrets, servers, and then services: their migrations are steps of their pods."""
    manifests = rendered(environment)
    order = (
        {"Namespace", "PriorityClass"},
        {"ExternalSecret", "Issuer", "ConfigMap", "ServiceAccount"},
        {"Cluster", "StatefulSet"},
        {"Deployment"},
    )
    waves = [[wave(each) for each in manifests.of(*kinds)] for kinds in order]
    assert [(max(a), min(b)) for a, b in itertools.pairwise(waves) if max(a) > min(b)] == []
    assert max(waves[2]) < min(waves[3])
