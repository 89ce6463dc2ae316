"""Which images a pod runs, asked of the cluster by kubectl."""

import json
import os

from deploy.delivery.asking import NOT_INSTALLED, Ask, Failed

PREFIX = "pod/"


def images(name: str, ask: Ask) -> tuple[str, ...]:
    """Those of `pod/NAME`, each once: containers first, then what ran before them.

    NAMESPACE and CONTEXT of the environment say where. Raises `Failed`.
    """
    pod = name.removeprefix(PREFIX)
    where = {"--namespace": os.environ.get("NAMESPACE"), "--context": os.environ.get("CONTEXT")}
    options = [part for option, value in where.items() if value for part in (option, value)]
    answer = ask(("kubectl", *options, "get", "pod", pod, "--output", "json"))
    if answer.code == NOT_INSTALLED:
        by_hand = "kubectl get pod NAME -o jsonpath='{.spec.containers[*].image}'"
        raise Failed(f"kubectl is not installed; where it is, `{by_hand}` names the image: make whence IMAGE=…")
    if not answer.good:
        raise Failed(f"{answer.complaint} (NAMESPACE=… and CONTEXT=… say where to look)")
    spec = json.loads(answer.out)["spec"]
    containers = [*spec["containers"], *spec.get("initContainers", ())]
    return tuple(dict.fromkeys(container["image"] for container in containers))
