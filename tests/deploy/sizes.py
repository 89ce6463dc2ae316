"""How much an overlay asks of a cluster, and how much deploy/ asks of its readers."""

import re
import statistics
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

from deploy.local.place import ROOT
from deploy.local.programs import BY_NAME
from tests.deploy.manifests import Container, Manifests, Pod
from tests.deploy.quantities import number_of

DEPLOY = ROOT / "deploy"
FOLDERS = ("template", "services", "components", "platform", "overlays", "gitops")
GENERATED = "# Made by `python -m "


def requested(manifests: Manifests, resource: str) -> Decimal:
    """By all workloads together, with one replica of each."""
    return sum((of_a_pod(pod, resource) for pod in manifests.pods()), Decimal(0))


def of_a_pod(pod: Pod, resource: str) -> Decimal:
    """As the scheduler counts: what runs together, or what a step of the start needs if that is more."""
    running, most = Decimal(0), Decimal(0)
    for each in pod.containers():
        if each.runs_once:
            most = max(most, running + _request(each, resource))
        else:
            running += _request(each, resource)
    return max(most, running)


def _request(container: Container, resource: str) -> Decimal:
    return number_of(container.spec.get("resources", {}).get("requests", {}).get(resource, "0"))


def hand_written() -> list[Path]:
    """The YAML that people write; what a program wrote says so in its first line."""
    files = (file for folder in FOLDERS for file in sorted((DEPLOY / folder).rglob("*.y*ml")))
    return [file for file in files if "generated" not in file.parts and not file.read_text().startswith(GENERATED)]


def lines(file: Path) -> Iterator[str]:
    """Lines that say something, without their indentation."""
    stripped = (line.strip() for line in file.read_text().splitlines())
    return (line for line in stripped if line and not line.startswith("#"))


def distinct_share() -> float:
    """How many of the lines are there once only, of all."""
    every = [line for file in hand_written() for line in lines(file)]
    return len(set(every)) / len(every)


def lines_for(name: str) -> int:
    """To have a service: the folders of its name, and whatever else names it, but what others say who call it."""
    word = re.compile(rf"\b{name}(-db)?\b")
    tables = [file for folder in FOLDERS for file in sorted((DEPLOY / folder).rglob("*.csv"))]
    files = [file for file in (*hand_written(), *tables) if not _is_of_another(file, name)]
    own = sum(len(list(lines(file))) for file in files if name in file.parts)
    return own + sum(bool(word.search(line)) for file in files if name not in file.parts for line in lines(file))


def _is_of_another(file: Path, name: str) -> bool:
    return (DEPLOY / "services") in file.parents and file.parent.name not in (name, "services")


def lines_for_a_service() -> float:
    """For the one in the middle; each has something that is special."""
    return statistics.median(lines_for(name) for name in BY_NAME if (DEPLOY / "services" / name).is_dir())
