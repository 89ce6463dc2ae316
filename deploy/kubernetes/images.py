"""The images that the local overlay names: ours, built here, and those of others, which a node fetches by itself."""

import os
import re

from deploy.kubernetes import generate
from deploy.kubernetes.cluster import kubectl_path, run, tool
from deploy.local.place import ROOT
from deploy.local.programs import BY_NAME
from deploy.local.screen import RunError, Screen
from tests.images.building import DIRTY, Build, BuildError, Commit, asked_for

TARGETS = (*BY_NAME, "tools")
OVERLAY = ROOT / "deploy" / "overlays" / "local"
PREFIX = "banyan/"


def provide(screen: Screen) -> list[str]:
    """Write what the overlay is given, build what is missing, and name all of ours."""
    try:
        commit = asked_for()
        generate_for(commit, screen)
        absent = missing(commit)
        if absent:
            screen.say(f"building {len(absent)} images of {commit.sha}; the first time that takes a few minutes")
            Build(commit).shown(*absent)
    except BuildError as error:
        raise RunError(str(error)) from error
    return [commit.tag(name) for name in TARGETS]


def generate_for(commit: Commit, screen: Screen) -> None:
    """The overlay's secrets, once, and the commit that it runs."""
    with screen.step("secrets and release") as step:
        faults = os.environ.get("FAULTS") == "on"
        made = generate.generate(generate.GENERATED, commit.sha, faults=faults)
        step.detail = f"{made} new secrets, images of {commit.sha}"


def missing(commit: Commit) -> list[str]:
    """What has to be built: of a changed checkout all, for its tag says nothing about the change."""
    if commit.sha.endswith(DIRTY):
        return list(TARGETS)
    docker = tool("docker")
    return [name for name in TARGETS if run((docker, "image", "inspect", commit.tag(name))).returncode != 0]


def of_others() -> list[str]:
    """All that the rendered overlay names beside ours."""
    done = run((kubectl_path(), "kustomize", str(OVERLAY)))
    if done.returncode != 0:
        raise RunError(f"{OVERLAY} does not render: {done.stderr[-2000:]}")
    named = set(re.findall(r"(?m)^\s*(?:- )?image: (\S+)$", done.stdout))
    return sorted(name for name in named if not name.startswith(PREFIX))


def local_tag(image: str) -> str:
    """A tag of our own for an image that is pinned by its digest: `banyan/third-party:<name>-<tag>`."""
    return f"{PREFIX}third-party:{re.sub(r'[^A-Za-z0-9.]+', '-', image.partition('@')[0])}"


def canonical(image: str) -> str:
    """What a node looks a pinned image up by: with its registry, and without its tag."""
    name, _, digest = image.partition("@")
    path, _, last = name.rpartition("/")
    last = last.partition(":")[0]
    host = path.partition("/")[0]
    if not path:
        path = "docker.io/library"
    elif not ("." in host or ":" in host or host == "localhost"):
        path = f"docker.io/{path}"
    return f"{path}/{last}@{digest}"
