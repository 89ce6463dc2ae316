"""The shop in a cluster, tested as such: `python -m deploy.kubernetes.trial`, or `make system TARGET=kubernetes`.

Unlike the other trials this one has no shop of its own, for a laptop has no room for two: it tests the one that
`make kind-smoke` has brought up, kills its pods, and leaves it running.
"""

import argparse
import os
import sys

from deploy.kubernetes import address, command, rollout
from deploy.kubernetes.cluster import PYTHON, Cluster, container_of, reference
from deploy.kubernetes.smoke import reachable
from deploy.local import checks
from deploy.local.screen import RunError, Screen


def main() -> int:
    """0 if all held, 1 if not, 130 when interrupted."""
    parser = argparse.ArgumentParser(prog="python -m deploy.kubernetes.trial", description=__doc__)
    parser.add_argument("--orders", type=int, default=200, help="of the traffic")
    options = parser.parse_args()
    # These tests bring no servers of their own.
    os.environ |= {"BANYAN_TARGET": "kubernetes", "TEST_SERVERS": "embedded"}
    checks.end_at_sigterm()
    return command.ended(lambda screen: _trial(Cluster.current(), options.orders, screen))


def _trial(cluster: Cluster, orders: int, screen: Screen) -> None:
    reachable(cluster)
    url = address.gateway(cluster)
    with screen.step("everything ready") as step:
        step.detail = rollout.wait(cluster, step.note)
    failed = checks.run_all(planned(cluster, orders), {"BANYAN_URL": url}, screen)
    if failed:
        raise RunError(f"failed: {', '.join(failed)}")


def planned(cluster: Cluster, orders: int) -> checks.Commands:
    """The same as in containers. The snapshot runs where it has the bridge's settings and secrets: beside it."""
    bridge = ("exec", reference("bridge"), f"--container={container_of('bridge')}", "--")
    task = ("deploy.kubernetes.tasks",)
    return {
        "system tests": checks.python("pytest", "-m", "system", "tests/system", "-q", "--durations=5"),
        "snapshot": cluster.command(*bridge, PYTHON, "-m", "bridge.snapshot"),
        "traffic": checks.python(*task, "traffic", "--client", "both", "--orders", str(orders)),
        "invariants": checks.python(*task, "verify"),
    }


if __name__ == "__main__":
    sys.exit(main())
