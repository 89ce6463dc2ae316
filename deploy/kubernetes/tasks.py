"""What runs once beside the shop, as a pod in its namespace: `python -m deploy.kubernetes.tasks verify`.

The table is that of compose.yaml. A pod and no Job: nobody wants it tried again. Its label names it to the network
policies, which let it reach what it is for and nothing else. It is shown while it runs, and taken away when it has
ended; the command ends as it did.
"""

import argparse
import json
import re
import secrets
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from deploy.kubernetes.cluster import NAME_LABEL, PYTHON, Cluster, Pod, wait_until
from deploy.local.place import ROOT
from deploy.local.screen import RunError

SECONDS = 3600
START_SECONDS = 120.0
USER = 65532
# What kustomize appends to the names of what it generates.
SUFFIX = r"(-[a-z0-9]{10})?"


@dataclass(frozen=True)
class Task:
    """An image of ours, a module in it, its settings, and whose Secret it is given."""

    module: str
    settings: Mapping[str, str] = field(default_factory=dict)
    secret: str | None = None
    image: str = "tools"
    arguments: Sequence[str] = ()


GATEWAY = {"BANYAN_URL": "http://gateway:8080"}
TASKS: Mapping[str, Task] = {
    "seed": Task("deploy.compose.seed", GATEWAY, "operator"),
    "traffic": Task("tests.traffic", GATEWAY, arguments=("--client", "both", "--orders", "500", "--concurrency", "8")),
    "verify": Task(
        "tests.invariants",
        {
            "AUDITOR_POSTGRES": "postgresql://auditor@{database}-db:5432/{database}",
            "AUDITOR_NATS": "nats://nats:4222",
            "AUDITOR_SECRETS": "/run/secrets",
        },
        "auditor",
    ),
    "replay": Task(
        "chassis.replay",
        {"SECRETS_DIR": "/run/secrets", "NATS_URL": "nats://nats:4222", "NATS_USER": "replay"},
        "replay",
        image="orders",
    ),
    "faults": Task("deploy.compose.faults", secret="faults"),  # noqa: S106 - a name
}


def manifest(name: str, image: str, secret: str | None, command: Sequence[str]) -> dict[str, Any]:
    """The pod, as the Pod Security level `restricted` wants it; `command` is what Python is given."""
    task = TASKS[name]
    volumes = [{"name": "secrets", "secret": {"secretName": secret, "defaultMode": 0o440}}] if secret else []
    mounts = [{"name": "secrets", "mountPath": "/run/secrets", "readOnly": True}] if secret else []
    container = {
        "name": name,
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "command": [PYTHON],
        "args": list(command),
        "env": [{"name": key, "value": value} for key, value in task.settings.items()],
        "resources": {
            "requests": {"cpu": "30m", "memory": "64Mi", "ephemeral-storage": "32Mi"},
            "limits": {"cpu": "1", "memory": "256Mi", "ephemeral-storage": "256Mi"},
        },
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": mounts,
    }
    labels = {NAME_LABEL: name, "app.kubernetes.io/part-of": "banyan", "app.kubernetes.io/component": "task"}
    user = {"runAsNonRoot": True, "runAsUser": USER, "runAsGroup": USER, "fsGroup": USER}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": f"{name}-{secrets.token_hex(3)}", "labels": labels},
        "spec": {
            "restartPolicy": "Never",
            "activeDeadlineSeconds": SECONDS,
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "securityContext": {**user, "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [container],
            "volumes": volumes,
        },
    }


def run(cluster: Cluster, name: str, *arguments: str) -> int:
    """Run a task, and show what it writes; its exit code."""
    task = TASKS[name]
    with _pod(cluster, name, ("-m", task.module, *(arguments or task.arguments))) as pod:
        # Nobody may answer it: it only hands through what the task writes.
        command = cluster.command("logs", "--follow", f"pod/{pod}")
        subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL, check=False)
        return exit_code(_ended(cluster, name, pod))


def output(cluster: Cluster, name: str, script: str, *arguments: str) -> str:
    """What a script prints in the place of a task's module. Raises `RunError` when it fails."""
    with _pod(cluster, name, ("-c", script, *arguments)) as pod:
        ended = _ended(cluster, name, pod)
        written = cluster.kubectl("logs", f"pod/{pod}")
        if exit_code(ended) != 0:
            raise RunError(f"{name} ended with {exit_code(ended)}: {written[-2000:]}")
        return written


@contextmanager
def _pod(cluster: Cluster, name: str, command: Sequence[str]) -> Iterator[str]:
    """A pod that has started, or even ended; deleted with the block, however that ends."""
    task = TASKS[name]
    secret = latest(cluster, "secrets", task.secret) if task.secret else None
    about = manifest(name, ours(cluster, task.image), secret, command)
    pod = str(about["metadata"]["name"])
    cluster.kubectl("create", "--filename=-", stdin=json.dumps(about))
    try:
        _wait(cluster, pod, ("Running", "Succeeded", "Failed"), START_SECONDS)
        yield pod
    finally:
        cluster.kubectl("delete", f"pod/{pod}", "--ignore-not-found", "--wait=false", "--grace-period=1")


def _ended(cluster: Cluster, name: str, pod: str) -> Any:
    """How its container ended."""
    _wait(cluster, pod, ("Succeeded", "Failed"), SECONDS)
    return _read(cluster, pod).container(name)


def _wait(cluster: Cluster, pod: str, phases: Sequence[str], seconds: float) -> None:
    wait_until(
        lambda: _read(cluster, pod).phase in phases,
        seconds,
        lambda: f"{pod} is not {' or '.join(phases).lower()} ({_read(cluster, pod).trouble()})",
    )


def _read(cluster: Cluster, pod: str) -> Pod:
    return Pod(json.loads(cluster.kubectl("get", f"pod/{pod}", "--output=json")))


def exit_code(container: Any) -> int:
    """Of a container that has ended; 1 for a pod that was evicted before."""
    return int(container.get("state", {}).get("terminated", {}).get("exitCode", 1))


def latest(cluster: Cluster, kind: str, name: str) -> str:
    """What kustomize has generated as `name`: the newest, for older ones stay while pods may still mount them."""
    found = [
        (about["metadata"]["creationTimestamp"], about["metadata"]["name"])
        for about in cluster.items(kind)
        if re.fullmatch(re.escape(name) + SUFFIX, about["metadata"]["name"])
    ]
    if not found:
        advice = "FAULTS=on make kind-load, and apply" if name == "faults" else "kubectl apply -k deploy/overlays/local"
        raise RunError(f"there is no {name} among the {kind} of {cluster.namespace}", advice)
    return str(max(found)[1])


def ours(cluster: Cluster, image: str) -> str:
    """An image of the very release that runs: registry and tag are the gateway's."""
    gateway = next(iter(cluster.workload("gateway")["spec"]["template"]["spec"]["containers"]))["image"]
    return re.sub(r"/gateway(?=[:@])", f"/{image}", str(gateway).partition("@")[0])


def main() -> int:
    """Entry point of the command."""
    parser = argparse.ArgumentParser(prog="python -m deploy.kubernetes.tasks", description=__doc__)
    parser.add_argument("task", choices=TASKS)
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help="of its module, in the place of its usual ones")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        return run(Cluster.current(), options.task, *options.arguments)
    except RunError as error:
        sys.stderr.write(f"{options.task}: {error}{f': {error.advice}' if error.advice else ''}\n")
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
