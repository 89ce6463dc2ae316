"""A cluster of one namespace as `kubectl` would show it, and every command that it was sent."""

import itertools
import json
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from deploy.kubernetes.cluster import NAME_LABEL, Cluster, Finished

COMMIT = "0123456789ab"


@dataclass
class FakeCluster:
    """Pods by the name of their workload. `mortal`: whether a container that takes too much memory is killed."""

    pods: dict[str, Any] = field(default_factory=dict)
    secrets: Sequence[tuple[str, str]] = ()
    jobs: Sequence[Any] = ()
    mortal: bool = True
    exit_code: int = 0
    commands: list[list[str]] = field(default_factory=list)
    inputs: list[str] = field(default_factory=list)
    _uids: Any = field(default_factory=itertools.count)

    def seen_as(self) -> Cluster:
        """What the code under test is given."""
        return Cluster(runner=self.run)

    def add(self, name: str, *containers: str, sidecars: Sequence[str] = ()) -> None:
        """A pod of this workload, ready."""
        statuses = [{"name": each, "restartCount": 0} for each in containers]
        inits = [{"name": each, "restartCount": 0} for each in sidecars]
        self.pods[name] = {
            "metadata": {"name": f"{name}-0", "uid": f"{next(self._uids)}", "labels": {NAME_LABEL: name}},
            "status": {
                "phase": "Running",
                "conditions": [{"type": "Ready", "status": "True"}],
                "containerStatuses": statuses,
                "initContainerStatuses": inits,
            },
        }

    def run(self, command: Sequence[str], stdin: str, seconds: float) -> Finished:
        self.commands.append(list(command))
        self.inputs.append(stdin)
        verb, *rest = command[3:]
        code, out = getattr(self, f"_{verb}")(rest, stdin)
        return subprocess.CompletedProcess(command, code, out, "" if code == 0 else "it was killed")

    def _get(self, rest: Sequence[str], _: str) -> tuple[int, str]:
        what = rest[0]
        if what == "pods":
            selected = [arg.partition("=")[2] for arg in rest if arg.startswith("--selector=")]
            found = [pod for name, pod in self.pods.items() if not selected or selected == [f"{NAME_LABEL}={name}"]]
            return 0, json.dumps({"items": found})
        if what == "secrets":
            return 0, json.dumps(
                {"items": [{"metadata": {"name": name, "creationTimestamp": made}} for name, made in self.secrets]}
            )
        if what == "jobs":
            return 0, json.dumps({"items": list(self.jobs)})
        if what.startswith("pod/"):
            return 0, json.dumps(self.pods[what.removeprefix("pod/")])
        containers = [{"name": "service", "image": f"ghcr.io/shop/gateway:{COMMIT}"}]
        return 0, json.dumps({"spec": {"replicas": 1, "template": {"spec": {"containers": containers}}}})

    def _exec(self, rest: Sequence[str], stdin: str) -> tuple[int, str]:
        if stdin:
            return 0, "answer"
        pod = next(pod for pod in self.pods.values() if pod["metadata"]["name"] == rest[0])
        container = rest[1].removeprefix("--container=")
        for status in [*pod["status"]["containerStatuses"], *pod["status"]["initContainerStatuses"]]:
            if status["name"] == container and self.mortal:
                status["restartCount"] += 1
        return 137, ""

    def _create(self, _: Sequence[str], stdin: str) -> tuple[int, str]:
        pod = json.loads(stdin)
        (container,) = pod["spec"]["containers"]
        terminated = {"name": container["name"], "state": {"terminated": {"exitCode": self.exit_code}}}
        pod["status"] = {"phase": "Failed" if self.exit_code else "Succeeded", "containerStatuses": [terminated]}
        self.pods[pod["metadata"]["name"]] = pod
        return 0, ""

    def _delete(self, rest: Sequence[str], _: str) -> tuple[int, str]:
        name = rest[0].removeprefix("pod/")
        for pod in self.pods.values():
            if pod["metadata"]["name"] == name:
                pod["metadata"]["uid"] = f"{next(self._uids)}"
        return 0, ""

    def _logs(self, _: Sequence[str], __: str) -> tuple[int, str]:
        return 0, "written"
