"""compose.yaml as data, with its anchors and merges resolved and its variables as they stand."""

import functools
import re
from collections.abc import Mapping
from typing import Any

import yaml

from deploy.local.place import ROOT
from deploy.local.programs import BY_NAME, DATABASES

OWN = "banyan/"
PINNED = re.compile(r"(?P<repository>[a-z0-9][a-z0-9./-]*):(?P<tag>[A-Za-z0-9._-]+)@sha256:(?P<digest>[0-9a-f]{64})")
_UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600}


@functools.cache
def composition() -> Mapping[str, Any]:
    """The whole file."""
    return dict(yaml.safe_load((ROOT / "compose.yaml").read_text()))


def services() -> Mapping[str, Mapping[str, Any]]:
    """What runs, by name."""
    return dict(composition()["services"])


def seconds(duration: str) -> float:
    """`1m30s` as a number."""
    return sum(float(number) * _UNITS[unit] for number, unit in re.findall(r"([\d.]+)(ms|s|m|h)", duration))


def is_server(service: Mapping[str, Any]) -> bool:
    """Whether it is meant to run until it is told to stop."""
    return service.get("restart") == "unless-stopped"


def depends_on(service: Mapping[str, Any]) -> Mapping[str, str]:
    """The condition by the name of what it waits for."""
    return {name: how["condition"] for name, how in service.get("depends_on", {}).items()}


def secret_folders(service: Mapping[str, Any]) -> set[str]:
    """Folders of the volume of secrets that it mounts; an empty one is all of it."""
    folders: set[str] = set()
    for volume in service.get("volumes", []):
        if isinstance(volume, str) and volume.startswith("secrets:"):
            folders.add("")
        elif isinstance(volume, dict) and volume["source"] == "secrets":
            folders.add(volume["volume"]["subpath"])
    return folders


# Of the shop: each with the settings that its own class reads.
DEPLOYABLES = sorted(BY_NAME)
WITH_DATABASE = sorted(DATABASES)
