"""Applies the local overlay, waits until it runs, and lets a first customer buy: `python -m deploy.kubernetes.smoke`.

In the cluster that CONTEXT names; `make kind-load` or `make minikube-load` comes before.
"""

import asyncio
import sys

from deploy.kubernetes import address, command, generate, rollout
from deploy.kubernetes.cluster import Cluster, ToolFailed
from deploy.local.screen import RunError, Screen
from deploy.local.walk import walk


def main() -> int:
    """Entry point of the command."""
    return command.ended(lambda screen: smoke(Cluster.current(), screen))


def smoke(cluster: Cluster, screen: Screen) -> None:
    """From an empty namespace, or one with an older release in it, to a confirmed order."""
    if not (generate.GENERATED / generate.RELEASE).exists():
        raise RunError("the overlay has no secrets yet", "make kind-load, or make minikube-load")
    reachable(cluster)
    url = address.gateway(cluster)
    with screen.step("apply") as step:
        step.detail = rollout.apply(cluster)
    with screen.step("rollouts") as step:
        step.detail = rollout.wait(cluster, step.note)
    with screen.step("books and a customer") as step:
        step.detail = rollout.wait_for_job(cluster)
    asyncio.run(walk(url, screen))
    screen.say(f"\n{url}/docs", style="bold")


def reachable(cluster: Cluster) -> None:
    """Raises `RunError` when no cluster answers."""
    try:
        cluster.kubectl("get", "--raw=/readyz", "--request-timeout=10s")
    except ToolFailed as error:
        last = str(error).splitlines()[-1]
        raise RunError(
            f"the cluster {cluster.context} does not answer ({last})", "make kind-up, or CONTEXT=…"
        ) from None


if __name__ == "__main__":
    sys.exit(main())
