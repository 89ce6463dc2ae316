"""Brings the manifests to a cluster, and waits until everything of them is ready."""

from collections.abc import Callable
from typing import Any

from deploy.kubernetes.cluster import Cluster, wait_until
from deploy.local.place import ROOT
from deploy.local.screen import RunError

OVERLAY = "deploy/overlays/local"
SECONDS = 600.0
Note = Callable[[str, int, int], None]


def apply(cluster: Cluster) -> str:
    """Apply the local overlay, and say how much that is."""
    said = cluster.kubectl("apply", "--kustomize", str(ROOT / OVERLAY), seconds=SECONDS)
    return f"{len(said.splitlines())} objects"


def wait(cluster: Cluster, note: Note, seconds: float = SECONDS) -> str:
    """Until every Deployment and StatefulSet runs what was applied last, ready; which took longest is `note`d."""
    late: list[str] = []

    def settled() -> bool:
        workloads = cluster.items("deployments,statefulsets")
        late[:] = [name_of(each) for each in workloads if not done(each)]
        note(", ".join(late[:4]), len(workloads) - len(late), len(workloads))
        return bool(workloads) and not late

    wait_until(settled, seconds, lambda: f"{', '.join(late)} not ready\n{complaints(cluster)}\n", pause=1)
    return f"{len(cluster.items('deployments,statefulsets'))} workloads"


def done(workload: Any) -> bool:
    """Whether the controller has seen the newest version, and all replicas are of it and ready."""
    wanted, status = workload["spec"].get("replicas", 1), workload.get("status", {})
    seen = status.get("observedGeneration", 0) >= workload["metadata"]["generation"]
    counts = (status.get("updatedReplicas", 0), status.get("readyReplicas", 0), status.get("replicas", 0))
    return bool(seen and all(count == wanted for count in counts))


def complaints(cluster: Cluster) -> str:
    """What holds the pods up that are not ready, one line each."""
    found = [f"  {pod.name}: {pod.trouble() or pod.phase}" for pod in cluster.all_pods() if not pod.ready()]
    return "\n".join(found) or "  there is no pod that is not ready"


def wait_for_job(cluster: Cluster, seconds: float = SECONDS) -> str:
    """Until this release's Job has succeeded; one that fails is a `RunError` with the end of its log."""
    job = max(cluster.items("jobs"), key=lambda each: str(each["metadata"]["creationTimestamp"]))
    name = name_of(job)

    def ended() -> bool:
        (now,) = (each for each in cluster.items("jobs") if name_of(each) == name)
        return _succeeded(cluster, now)

    wait_until(ended, seconds, lambda: f"{name} is not done\n{complaints(cluster)}\n", pause=1)
    return name


def _succeeded(cluster: Cluster, job: Any) -> bool:
    conditions = job.get("status", {}).get("conditions", ())
    reached = {each["type"] for each in conditions if each["status"] == "True"}
    if "Failed" in reached:
        name = name_of(job)
        raise RunError(f"{name} failed:\n{cluster.kubectl('logs', f'job/{name}', '--tail=20')}")
    return "Complete" in reached


def name_of(workload: Any) -> str:
    return str(workload["metadata"]["name"])
