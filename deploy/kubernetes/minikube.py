"""Our images into a minikube that runs: `python -m deploy.kubernetes.minikube`.

Which one, says minikube's own profile.
"""

import sys

from deploy.kubernetes import command, images
from deploy.kubernetes.cluster import ToolFailed, run, tool
from deploy.local.screen import RunError, Screen


def load(screen: Screen) -> None:
    """Everything that `kubectl apply -k deploy/overlays/local` takes for granted."""
    minikube, _ = tool("minikube"), tool("docker")
    if run((minikube, "status")).returncode != 0:
        raise RunError("minikube does not run", "minikube start --cpus=2 --memory=6g --cni=calico")
    ours = images.provide(screen)
    with screen.step("images into minikube") as step:
        for number, image in enumerate(ours):
            step.note(image, number, len(ours))
            done = run((minikube, "image", "load", image), seconds=600)
            if done.returncode != 0:
                raise ToolFailed(f"minikube image load {image}: {done.stderr.strip()[-2000:]}")
        step.detail = f"{len(ours)} of ours"
    screen.say("\nkubectl apply -k deploy/overlays/local", style="bold")


def main() -> int:
    """Entry point of the command."""
    return command.ended(load)


if __name__ == "__main__":
    sys.exit(main())
