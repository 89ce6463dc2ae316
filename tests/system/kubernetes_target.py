"""The shop in a namespace of a cluster, by the `kubectl` command."""

import contextlib
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field

from deploy.kubernetes import tasks
from deploy.kubernetes.cluster import (
    PYTHON,
    STATEFUL,
    Cluster,
    Pod,
    ToolFailed,
    container_of,
    wait_until,
)
from deploy.local.programs import BY_NAME
from deploy.local.screen import RunError
from tests.system.target import text_of

# Until the container is past its limit of memory. Nobody inside a container can SIGKILL its first process, which is
# immune against its own namespace: the kernel does it, with all others of the container, as it does in earnest.
GREED = "held = []\nwhile True:\n    held.append(b'x' * 2**24)\n"
GREED_SECONDS = 20.0
# With control groups of version 1 the kernel kills the greedy one alone.
KILLED_SECONDS = 10.0
READY_SECONDS = 180.0


@dataclass(frozen=True)
class KubernetesTarget:
    """The namespace that CONTEXT and NAMESPACE name."""

    cluster: Cluster = field(default_factory=Cluster.current)
    # One database stands for all: they are one recipe.
    fragile: Sequence[str] = (*BY_NAME, "nats", "orders-db")
    verify: Sequence[str] = (sys.executable, "-m", "deploy.kubernetes.tasks", "verify")

    def run_in(self, service: str, script: str, *arguments: str) -> str:
        return self.cluster.python(service, text_of(script), *arguments)

    def audit(self, script: str, *arguments: str) -> str:
        return tasks.output(self.cluster, "verify", text_of(script), *arguments)

    def log(self, program: str) -> str:
        return self.cluster.log(program)

    def crash(self, program: str) -> None:
        """Of replicas one; that the kernel kills it is tried first, and then its pod is taken away without grace."""
        pod = self.cluster.pods(program)[0]
        restarts = self._restarts(program, pod)
        self._starve(program, pod)
        try:
            wait_until(lambda: self._restarts(program, pod) > restarts, KILLED_SECONDS, lambda: f"{program} lives on")
        except RunError:
            self.cluster.kubectl("delete", f"pod/{pod.name}", "--grace-period=0", "--force")
        self.wait_ready(program)

    def wait_ready(self, program: str) -> None:
        """As many pods as are wanted, and all of them ready."""

        def ready() -> bool:
            pods = self.cluster.pods(program)
            wanted = self.cluster.workload(program)["spec"].get("replicas", 1)
            return len(pods) >= wanted and all(pod.ready() for pod in pods)

        wait_until(ready, READY_SECONDS, lambda: f"{program} is not ready")

    def _starve(self, program: str, pod: Pod) -> None:
        greedy = ("tail", "/dev/zero") if program in STATEFUL else (PYTHON, "-c", GREED)
        into = ("exec", pod.name, f"--container={self._container(program, pod)}", "--")
        with contextlib.suppress(ToolFailed):  # it was killed too
            self.cluster.kubectl(*into, *greedy, seconds=GREED_SECONDS)

    def _restarts(self, program: str, pod: Pod) -> int:
        """How often its container was started again; counted on where the pod is no more."""
        now = next((each for each in self.cluster.pods(program) if each.name == pod.name), None)
        if now is None or now.about["metadata"]["uid"] != pod.about["metadata"]["uid"]:
            return sys.maxsize
        return int(now.container(container_of(program)).get("restartCount", 0))

    def _container(self, program: str, pod: Pod) -> str:
        return str(pod.container(container_of(program)).get("name", container_of(program)))
