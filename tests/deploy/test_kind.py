"""The commands that bring the shop to a cluster: what they say to kubectl, and that kubectl understands it."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from deploy.kubernetes import address, rollout, trial
from deploy.kubernetes.cluster import (
    NAME_LABEL,
    SIDECARS,
    STATEFUL,
    Cluster,
    Pod,
    container_of,
    kubectl_path,
    pod_of,
    reference,
    tool,
)
from deploy.local.place import ROOT
from deploy.local.screen import RunError
from tests.deploy.conftest import Render
from tests.deploy.fake_cluster import COMMIT, FakeCluster
from tests.system import kubernetes_target
from tests.system.kubernetes_target import KubernetesTarget

CONTEXT = "kind-banyan"
# Nobody listens there: a command that kubectl understands gets as far as this.
KUBECONFIG = {
    "apiVersion": "v1",
    "kind": "Config",
    "clusters": [{"name": "none", "cluster": {"server": "http://127.0.0.1:1"}}],
    "contexts": [{"name": CONTEXT, "context": {"cluster": "none", "user": "nobody"}}],
    "users": [{"name": "nobody", "user": {}}],
}


@pytest.fixture
def cluster() -> FakeCluster:
    """A shop of four pods."""
    fake = FakeCluster(secrets=[("auditor-aaaaaaaaaa", "2026-01-01"), ("auditor-bbbbbbbbbb", "2026-02-01")])
    for name in ("orders", "gateway", "catalog"):
        fake.add(name, "service")
    fake.add("legacy", "service", sidecars=("bridge", "envoy"))
    fake.add("nats", "nats")
    fake.add("orders-db", "postgres")
    return fake


@pytest.fixture
def target(cluster: FakeCluster) -> KubernetesTarget:
    """What the system tests see of it."""
    return KubernetesTarget(cluster.seen_as())


def understood(command: list[str], stdin: str, folder: Path) -> bool:
    """Whether kubectl finds nothing to say against a command but that nobody answers."""
    config = folder / "kubeconfig"
    config.write_text(json.dumps(KUBECONFIG))
    done = subprocess.run(
        command,
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
        env={"KUBECONFIG": str(config), "HOME": str(folder)},
    )
    return "refused" in done.stderr


def test_all_that_the_target_says_is_understood(
    cluster: FakeCluster, target: KubernetesTarget, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kubernetes_target, "KILLED_SECONDS", 0.0)
    target.run_in("orders", "ask", "catalog", "/", "{}")
    target.audit("messages", "an order")
    target.log("orders")
    target.log("nats")
    cluster.mortal = False
    target.crash("orders-db")
    rollout.complaints(cluster.seen_as())
    assert len(cluster.commands) > 10
    for command, stdin in zip(cluster.commands, cluster.inputs, strict=True):
        assert understood(command, stdin, tmp_path), command


def test_a_flag_that_kubectl_does_not_know_is_not_understood(tmp_path: Path) -> None:
    assert not understood(Cluster().command("get", "pods", "--no-such-flag"), "", tmp_path)


def test_what_the_trial_runs_is_understood(tmp_path: Path) -> None:
    assert understood(list(trial.planned(Cluster(), 10)["snapshot"]), "", tmp_path)


def test_applying_is_understood(tmp_path: Path) -> None:
    (tmp_path / "kustomization.yaml").write_text("configMapGenerator: [{name: a, literals: [b=c]}]\n")
    command = Cluster().command("apply", "--kustomize", str(tmp_path))
    assert understood(command, "", tmp_path)


def test_no_command_leaves_the_cluster_to_a_kubeconfig(cluster: FakeCluster, target: KubernetesTarget) -> None:
    target.crash("orders")
    assert all(command[1:3] == ["--context=kind-banyan", "--namespace=banyan"] for command in cluster.commands)


def test_the_environment_names_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONTEXT", "minikube")
    assert "--context=minikube" in Cluster.current().command("get", "pods")
    with pytest.raises(RunError):
        address.gateway(Cluster.current())
    monkeypatch.setenv("BANYAN_URL", "http://192.0.2.1:30080/")
    assert address.gateway(Cluster.current()) == "http://192.0.2.1:30080"


@pytest.mark.parametrize(
    ("program", "expected"),
    [
        ("orders", ("deployment/orders", "service")),
        ("bridge", ("deployment/legacy", "bridge")),
        ("legacy", ("deployment/legacy", "service")),
        ("nats", ("statefulset/nats", "nats")),
        ("orders-db", ("statefulset/orders-db", "orders-db")),
    ],
)
def test_each_program_is_found_where_it_lives(program: str, expected: tuple[str, str]) -> None:
    assert (reference(program), container_of(program)) == expected
    assert pod_of(program) == expected[0].partition("/")[2]


def test_a_script_runs_beside_the_service_it_is_about(cluster: FakeCluster, target: KubernetesTarget) -> None:
    assert target.run_in("bridge", "ask", "catalog") == "answer"
    assert cluster.commands[-1][3:] == [
        "exec", "--stdin", "deployment/legacy", "--container=bridge", "--", "/usr/bin/python3.13", "-", "catalog",
    ]  # fmt: skip
    assert "urllib" in cluster.inputs[-1]


@pytest.mark.parametrize("program", ["orders", "bridge", "legacy", "nats", "orders-db"])
def test_a_crash_is_the_kernels(cluster: FakeCluster, target: KubernetesTarget, program: str) -> None:
    target.crash(program)
    assert not [command for command in cluster.commands if "delete" in command]
    (greedy,) = [command for command in cluster.commands if "exec" in command]
    assert greedy[4] == f"{pod_of(program)}-0"


def test_where_the_kernel_kills_another_the_pod_goes(
    cluster: FakeCluster, target: KubernetesTarget, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kubernetes_target, "KILLED_SECONDS", 0.0)
    cluster.mortal = False
    target.crash("orders")
    assert ["delete", "pod/orders-0", "--grace-period=0", "--force"] in [command[3:] for command in cluster.commands]


def test_a_task_is_of_the_release_that_runs_and_has_the_newest_secret(
    cluster: FakeCluster, target: KubernetesTarget
) -> None:
    assert target.audit("messages", "an order") == "written"
    created = json.loads(next(text for text in cluster.inputs if text.startswith("{")))
    (container,) = created["spec"]["containers"]
    assert container["image"] == f"ghcr.io/shop/tools:{COMMIT}"
    assert container["args"][-1] == "an order"
    assert created["spec"]["volumes"][0]["secret"]["secretName"] == "auditor-bbbbbbbbbb"
    assert cluster.commands[-1][3:5] == ["delete", f"pod/{created['metadata']['name']}"]


def test_a_task_that_fails_says_so_and_is_cleared_away(cluster: FakeCluster, target: KubernetesTarget) -> None:
    cluster.exit_code = 3
    with pytest.raises(RunError, match="ended with 3: written"):
        target.audit("messages", "an order")
    assert cluster.commands[-1][3] == "delete"


def workload(*, generation: int = 2, observed: int = 2, updated: int = 1, ready: int = 1, replicas: int = 1) -> Any:
    status = {"observedGeneration": observed, "updatedReplicas": updated, "readyReplicas": ready, "replicas": replicas}
    return {"metadata": {"name": "orders", "generation": generation}, "spec": {"replicas": 1}, "status": status}


@pytest.mark.parametrize(
    ("about", "done"),
    [
        (workload(), True),
        (workload(observed=1), False),
        (workload(ready=0), False),
        (workload(updated=0), False),
        (workload(replicas=2), False),  # the old one has not gone yet
    ],
)
def test_a_rollout_is_done_when_nothing_old_is_left(about: Any, done: bool) -> None:
    assert rollout.done(about) is done


def job(name: str, made: str, condition: str) -> Any:
    status = {"conditions": [{"type": condition, "status": "True"}]}
    return {"metadata": {"name": name, "creationTimestamp": made}, "status": status}


def test_the_seed_of_this_release_counts(cluster: FakeCluster) -> None:
    cluster.jobs = [job("seed-old", "2026-01-01", "Failed"), job("seed-new", "2026-02-01", "Complete")]
    assert rollout.wait_for_job(cluster.seen_as()) == "seed-new"
    cluster.jobs = [job("seed-new", "2026-02-01", "Failed")]
    with pytest.raises(RunError, match="seed-new failed:\nwritten"):
        rollout.wait_for_job(cluster.seen_as())


def test_a_pod_says_what_holds_it_up() -> None:
    waiting = {"name": "migrate", "state": {"waiting": {"reason": "ErrImageNeverPull"}}}
    usual = {"name": "service", "state": {"waiting": {"reason": "PodInitializing"}}}
    pod = Pod({"status": {"initContainerStatuses": [waiting], "containerStatuses": [usual]}})
    assert pod.trouble() == "migrate: ErrImageNeverPull"


@pytest.mark.parametrize("name", ["kind", "minikube", "kubectl", "docker"])
def test_a_missing_tool_is_one_line_with_what_to_do(name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(RunError, match=f"{name} is missing") as raised:
        tool(name)
    assert raised.value.advice


def test_make_says_so_too(tmp_path: Path) -> None:
    done = subprocess.run(
        [ROOT / ".venv" / "bin" / "python", "-m", "deploy.kubernetes.kind", "up"],
        cwd=ROOT, env={**os.environ, "PATH": str(tmp_path)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, len(done.stdout.splitlines())) == (1, 1)
    assert "kind is missing: install kind" in done.stdout


def test_kubectl_is_the_one_that_the_manifests_are_tested_with(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KUBECTL", raising=False)
    assert kubectl_path() == str(ROOT / ".venv" / "bin" / "kubectl")
    monkeypatch.setenv("KUBECTL", "/opt/kubectl")
    assert kubectl_path() == "/opt/kubectl"


def test_what_the_system_tests_kill_is_where_the_overlay_puts_it(rendered: Render) -> None:
    manifests = rendered("local")
    for program in (*KubernetesTarget().fragile, *STATEFUL, *SIDECARS):
        workload, _, name = reference(program).partition("/")
        (pod,) = (each for each in manifests.pods() if each.kind.lower() == workload and each.name == name)
        assert pod.labels[NAME_LABEL] == pod_of(program)
        servers = [each.name for each in pod.containers() if not each.runs_once]
        assert container_of(program) in servers or len(servers) == 1, program
