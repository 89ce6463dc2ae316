"""Where the gateway of a cluster is reached from this machine."""

import os
import shutil

from deploy.kubernetes.cluster import KIND_CLUSTER, Cluster, run
from deploy.local.screen import RunError

NODE_PORT = 30080
NODE = f"{KIND_CLUSTER}-control-plane"
DEFAULT = "127.0.0.1:8080"


def gateway(cluster: Cluster) -> str:
    """BANYAN_URL, or where Docker has published the gateway's NodePort of kind's node."""
    if named := os.environ.get("BANYAN_URL"):
        return named.rstrip("/")
    if cluster.context != f"kind-{KIND_CLUSTER}":
        # Which address a node has is for the one to say who has made it.
        advice = 'for minikube: BANYAN_URL="$(minikube service gateway --namespace banyan --url)"'
        raise RunError(f"nobody says where the gateway of {cluster.context} is reached", advice)
    return f"http://{_published()}"


def _published() -> str:
    docker = shutil.which("docker")
    told = run((docker, "port", NODE, f"{NODE_PORT}/tcp")).stdout.split() if docker else []
    return told[0] if told else DEFAULT
