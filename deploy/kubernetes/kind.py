"""A cluster of one node in a container, and our images in it: `python -m deploy.kubernetes.kind up|load|down`.

Ours is called `banyan`; no other is looked at.
"""

import argparse
import functools
import os
import re
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from deploy.kubernetes import command, images
from deploy.kubernetes.address import NODE
from deploy.kubernetes.cluster import KIND_CLUSTER, ToolFailed, run, tool
from deploy.local.place import ROOT
from deploy.local.screen import RunError, Screen

CONFIG = Path(__file__).with_name("kind.yaml")
DEFAULT_PORT = 8080
HOST_PORT = re.compile(r"(?<=hostPort: )\d+")


def up(screen: Screen) -> None:
    """Make the cluster, unless it is there; kind shows its own progress."""
    kind, _ = tool("kind"), tool("docker")
    if exists(kind):
        screen.say(f"the cluster {KIND_CLUSTER} is there already; make kind-down removes it")
        return
    _shown((kind, "create", "cluster", f"--name={KIND_CLUSTER}", "--config=-", "--wait=180s"), configuration(_port()))
    screen.say("\nmake kind-load, then: kubectl apply -k deploy/overlays/local", style="bold")


def load(screen: Screen, *, third_party: bool) -> None:
    """Everything that `kubectl apply -k deploy/overlays/local` takes for granted."""
    kind, _ = tool("kind"), tool("docker")
    if not exists(kind):
        raise RunError(f"there is no cluster {KIND_CLUSTER}", "make kind-up")
    ours = images.provide(screen)
    with screen.step("images into the node") as step:
        _checked((kind, "load", "docker-image", f"--name={KIND_CLUSTER}", *ours))
        step.detail = f"{len(ours)} of ours"
    if third_party:
        with screen.step("those of others") as step:
            loaded = [_load_pinned(kind, image) for image in images.of_others()]
            step.detail = f"{sum(loaded)} of {len(loaded)}; the node fetches the rest"
    screen.say("\nkubectl apply -k deploy/overlays/local  (or make kind-smoke: apply, wait, and test it)", style="bold")


def down(_: Screen) -> None:
    """Remove the cluster and all that is in it."""
    _shown((tool("kind"), "delete", "cluster", f"--name={KIND_CLUSTER}"))


def configuration(port: int) -> str:
    """What kind is told, with the port of this machine that leads to the gateway."""
    return HOST_PORT.sub(str(port), CONFIG.read_text())


def exists(kind: str) -> bool:
    return KIND_CLUSTER in _checked((kind, "get", "clusters")).split()


def _load_pinned(kind: str, image: str) -> bool:
    """One that is pinned by its digest, if Docker has it here.

    What kind carries over is found by a tag only: on the node it is given the name that a pod asks for.
    """
    docker = tool("docker")
    if run((docker, "image", "inspect", image)).returncode != 0:
        return False
    tag = images.local_tag(image)
    _checked((docker, "tag", image, tag))
    _checked((kind, "load", "docker-image", f"--name={KIND_CLUSTER}", tag))
    rename = ("ctr", "--namespace=k8s.io", "images", "tag", "--force", f"docker.io/{tag}", images.canonical(image))
    _checked((docker, "exec", NODE, *rename))
    return True


def _port() -> int:
    text = os.environ.get("PORT") or str(DEFAULT_PORT)
    if not text.isdigit():
        raise RunError(f"PORT={text} is no port")
    return int(text)


def _checked(line: Sequence[str]) -> str:
    done = run(line, seconds=1800)
    if done.returncode != 0:
        raise ToolFailed(f"{Path(line[0]).name} {' '.join(line[1:3])}: {done.stderr.strip()[-2000:]}")
    return done.stdout


def _shown(line: Sequence[str], stdin: str = "") -> None:
    done = subprocess.run(line, cwd=ROOT, input=stdin, text=True, check=False)
    if done.returncode != 0:
        raise ToolFailed(f"{Path(line[0]).name} {' '.join(line[1:3])}: exit code {done.returncode}")


def main() -> int:
    """Entry point of the command."""
    parser = argparse.ArgumentParser(prog="python -m deploy.kubernetes.kind", description=__doc__)
    parser.add_argument("what", choices=("up", "load", "down"))
    parser.add_argument(
        "--third-party", action="store_true", help="load PostgreSQL, NATS and Envoy too, if they are here"
    )
    options = parser.parse_args()
    acts: Mapping[str, Callable[[Screen], None]] = {
        "up": up,
        "load": functools.partial(load, third_party=options.third_party),
        "down": down,
    }
    return command.ended(acts[options.what])


if __name__ == "__main__":
    sys.exit(main())
