"""The shop's namespace in one cluster, as `kubectl` shows it.

Which cluster is said in every single command (CONTEXT), so that whatever else a kubeconfig names is never touched.
"""

import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from deploy.local.place import ROOT
from deploy.local.programs import BY_NAME, DATABASES
from deploy.local.screen import RunError

KIND_CLUSTER = "banyan"
NAMESPACE = "banyan"
NAME_LABEL = "app.kubernetes.io/name"
PYTHON = "/usr/bin/python3.13"
# Containers that live in another's pod; all others are alone in a pod of their name.
SIDECARS: Mapping[str, str] = {"bridge": "legacy", "envoy": "legacy"}
STATEFUL = ("nats", *(f"{name}-db" for name in DATABASES))
ADVICE: Mapping[str, str] = {
    "docker": "install Docker Engine 26 or newer: https://docs.docker.com/engine/install/",
    "kind": "install kind 0.32 or newer: https://kind.sigs.k8s.io/docs/user/quick-start/#installation",
    "minikube": "install minikube: https://minikube.sigs.k8s.io/docs/start/",
    "kubectl": "`make setup` brings one along, or name another: KUBECTL=…",
}

Finished = subprocess.CompletedProcess[str]
Runner = Callable[[Sequence[str], str, float], Finished]


class ToolFailed(RunError):
    """A command ended with another code than 0, or not in time; the message holds the end of its output."""


def tool(name: str) -> str:
    """The path of a program, or a `RunError` that says what to install."""
    found = shutil.which(name)
    if found is None:
        raise RunError(f"{name} is missing", ADVICE[name])
    return found


def kubectl_path() -> str:
    """The one that our tests render with, before whichever is on the PATH; KUBECTL names another."""
    if named := os.environ.get("KUBECTL"):
        return named
    ours = ROOT / ".venv" / "bin" / "kubectl"
    return str(ours) if ours.exists() else tool("kubectl")


def run(command: Sequence[str], stdin: str = "", seconds: float = 300) -> Finished:
    """Run it in the checkout, whatever its exit code. Raises `ToolFailed` when the time is over."""
    try:
        return subprocess.run(
            command, cwd=ROOT, input=stdin, capture_output=True, text=True, errors="replace", timeout=seconds,
            check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise ToolFailed(f"{_shown(command)}: not done after {seconds:.0f} s") from None


@dataclass(frozen=True)
class Cluster:
    """One context of the kubeconfig, and the namespace of the shop in it."""

    context: str = f"kind-{KIND_CLUSTER}"
    namespace: str = NAMESPACE
    runner: Runner = run

    @classmethod
    def current(cls) -> "Cluster":
        """The one that CONTEXT and NAMESPACE name, by default what `make kind-up` makes."""
        return cls(os.environ.get("CONTEXT") or cls.context, os.environ.get("NAMESPACE") or cls.namespace)

    def command(self, *arguments: str) -> list[str]:
        """A whole command line."""
        return [kubectl_path(), f"--context={self.context}", f"--namespace={self.namespace}", *arguments]

    def kubectl(self, *arguments: str, stdin: str = "", seconds: float = 300) -> str:
        """What it writes to its standard output. Raises `ToolFailed`."""
        done = self.runner(self.command(*arguments), stdin, seconds)
        if done.returncode != 0:
            ending = "\n".join((done.stdout + done.stderr).splitlines()[-15:])
            raise ToolFailed(f"{_shown(('kubectl', *arguments))}: exit code {done.returncode}\n{ending}")
        return done.stdout

    def items(self, kinds: str, selector: str = "") -> list[Any]:
        """Objects of one or several kinds, as the API has them."""
        chosen = (f"--selector={selector}",) if selector else ()
        return list(json.loads(self.kubectl("get", kinds, *chosen, "--output=json"))["items"])

    def workload(self, name: str) -> Any:
        """A Deployment or StatefulSet."""
        return json.loads(self.kubectl("get", reference(name), "--output=json"))

    def pods(self, program: str) -> list["Pod"]:
        """The replicas of whatever pod a program lives in, without those that are about to go."""
        found = self.items("pods", f"{NAME_LABEL}={pod_of(program)}")
        return [Pod(about) for about in found if "deletionTimestamp" not in about["metadata"]]

    def all_pods(self) -> list["Pod"]:
        """Everything in the namespace that is not about to go."""
        return [Pod(about) for about in self.items("pods") if "deletionTimestamp" not in about["metadata"]]

    def python(self, program: str, script: str, *arguments: str) -> str:
        """Run a script inside, with the settings and the secrets of the service; what it prints."""
        into = ("exec", "--stdin", reference(program), f"--container={container_of(program)}", "--")
        return self.kubectl(*into, PYTHON, "-", *arguments, stdin=script)

    def log(self, program: str, since: str = "10m") -> str:
        """What all its replicas have written lately."""
        chosen = f"--selector={NAME_LABEL}={pod_of(program)}"
        container = f"--container={container_of(program)}" if program not in STATEFUL else "--all-containers=false"
        # By a selector kubectl would show ten lines only.
        return self.kubectl("logs", chosen, container, "--tail=-1", f"--since={since}", "--max-log-requests=50")


@dataclass(frozen=True)
class Pod:
    """One replica, as it was when it was asked for."""

    about: Any

    @property
    def name(self) -> str:
        return str(self.about["metadata"]["name"])

    @property
    def phase(self) -> str:
        return str(self.about.get("status", {}).get("phase", "Pending"))

    def ready(self) -> bool:
        """Whether all its containers say so."""
        conditions = self.about.get("status", {}).get("conditions", ())
        return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)

    def container(self, name: str) -> Any:
        """How a container is; of a pod that is made from another's image, its one container."""
        status = self.about.get("status", {})
        found = [*status.get("containerStatuses", ()), *status.get("initContainerStatuses", ())]
        return next((each for each in found if each["name"] == name), found[0] if found else {})

    def trouble(self) -> str:
        """Why its containers wait or have ended, as the kubelet says it; empty if they do neither."""
        status = self.about.get("status", {})
        found = [*status.get("initContainerStatuses", ()), *status.get("containerStatuses", ())]
        waiting = [f"{each['name']}: {_reason(each)}" for each in found if _reason(each)]
        unplaced = [each["message"] for each in status.get("conditions", ()) if each.get("reason") == "Unschedulable"]
        return "; ".join(waiting + unplaced)


def _reason(container: Any) -> str:
    state = container.get("state", {})
    about = state.get("waiting") or state.get("terminated") or {}
    reason = str(about.get("reason", ""))
    return "" if reason in ("PodInitializing", "ContainerCreating", "Completed") else reason


def pod_of(program: str) -> str:
    """The name of the pods that a program lives in."""
    return SIDECARS.get(program, program)


def container_of(program: str) -> str:
    """Its container in them."""
    return program if program in SIDECARS else "service" if program in BY_NAME else program


def reference(program: str) -> str:
    """The workload of a program, as kubectl takes it."""
    return f"{'statefulset' if program in STATEFUL else 'deployment'}/{pod_of(program)}"


def wait_until(reached: Callable[[], bool], seconds: float, otherwise: Callable[[], str], pause: float = 0.5) -> None:
    """Ask the cluster until `reached`, or raise `RunError` with the text."""
    limit = time.monotonic() + seconds
    while not reached():
        if time.monotonic() > limit:
            raise RunError(f"{otherwise()} within {seconds:.0f} s")
        time.sleep(pause)


def _shown(command: Sequence[str]) -> str:
    return " ".join(command)[:200]
