"""What the commands give to a cluster: pods of one task, the node's ports, and images by the names a node knows."""

from typing import Any

import pytest
import yaml

from deploy.kubernetes import address, images, kind, tasks
from deploy.kubernetes.cluster import NAME_LABEL
from deploy.local.place import ROOT
from tests.deploy import schemas
from tests.deploy.conftest import Render
from tests.deploy.fake_cluster import COMMIT


@pytest.mark.parametrize("name", tasks.TASKS)
@pytest.mark.parametrize("version", schemas.VERSIONS)
def test_a_task_is_a_pod_that_the_cluster_takes(name: str, version: str) -> None:
    assert (
        list(schemas.errors(tasks.manifest(name, f"banyan/tools:{COMMIT}", "some-secret", ["-m", "x"]), version)) == []
    )


@pytest.mark.parametrize("name", tasks.TASKS)
def test_a_task_is_as_restricted_as_a_service(name: str) -> None:
    spec = tasks.manifest(name, f"banyan/tools:{COMMIT}", None, ["-m", "x"])["spec"]
    (container,) = spec["containers"]
    assert spec["securityContext"]["runAsNonRoot"]
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert not spec["automountServiceAccountToken"]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert container["resources"]["limits"].keys() >= {"cpu", "memory"}


def test_tasks_are_told_what_compose_tells_them() -> None:
    services: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]
    for name, task in tasks.TASKS.items():
        assert task.settings == services[name].get("environment", {}), name
        command = [*services[name].get("entrypoint", ()), *services[name].get("command", ())]
        assert task.module in command, name
        paths = [each["volume"]["subpath"] for each in services[name].get("volumes", ())]
        assert paths == ([task.secret] if task.secret else []), name


def test_the_port_of_this_machine_is_the_one_asked_for() -> None:
    committed, changed = (yaml.safe_load(kind.configuration(port)) for port in (kind.DEFAULT_PORT, 9080))
    assert committed == yaml.safe_load(kind.CONFIG.read_text())
    (mapping,) = changed["nodes"][0]["extraPortMappings"]
    assert mapping == {"containerPort": address.NODE_PORT, "hostPort": 9080, "listenAddress": "127.0.0.1"}


@pytest.mark.parametrize(
    ("image", "name"),
    [
        ("postgres:18-trixie@sha256:ab", "docker.io/library/postgres@sha256:ab"),
        ("envoyproxy/envoy:distroless-v1@sha256:ab", "docker.io/envoyproxy/envoy@sha256:ab"),
        ("ghcr.io/a/b/c:1@sha256:ab", "ghcr.io/a/b/c@sha256:ab"),
        ("localhost:5000/c:1@sha256:ab", "localhost:5000/c@sha256:ab"),
    ],
)
def test_a_node_looks_a_pinned_image_up_by_registry_and_digest(image: str, name: str) -> None:
    assert images.canonical(image) == name
    assert images.local_tag("envoyproxy/envoy:distroless-v1@sha256:ab") == (
        "banyan/third-party:envoyproxy-envoy-distroless-v1"
    )


def test_the_ports_of_node_and_gateway_meet(rendered: Render) -> None:
    gateway = rendered("local").find("Service", "gateway")
    assert gateway is not None
    assert [port["nodePort"] for port in gateway["spec"]["ports"]] == [address.NODE_PORT]


def test_the_network_lets_tasks_reach_what_they_are_for(rendered: Render) -> None:
    selected = [policy["spec"].get("podSelector", {}) for policy in rendered("local").of("NetworkPolicy")]
    named = {selector.get("matchLabels", {}).get(NAME_LABEL) for selector in selected}
    assert set(tasks.TASKS) <= named
