"""Prometheus' own tool, which knows its language: from the machine, else out of the image that compose.yaml pins."""

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
PROMETHEUS = ROOT / "deploy" / "observability" / "prometheus"


def promtool(*arguments: str, folder: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run it; `folder` and the repository are found under their own paths. Skips the test where there is none."""
    command = [*_command(folder), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=110, check=False)


def _command(folder: Path | None) -> Sequence[str]:
    # An image that was asked for by name is taken: who sets it wants a failure, not a skip, where it does not run.
    image = os.environ.get("PROMETHEUS_IMAGE")
    if image is None and (found := shutil.which("promtool")):
        return [found]
    if image is None:
        image = _pinned()
        if not _runs(image):
            pytest.skip(f"no promtool on PATH, and {image} does not run (PROMETHEUS_IMAGE names another one)")
    mounts = [f"--volume={place}:{place}:ro" for place in (ROOT, folder) if place is not None]
    return ["docker", "run", "--rm", "--network=none", "--user=0", *mounts, "--entrypoint=promtool", image]


def _pinned() -> str:
    services = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]
    return str(services["prometheus"]["image"])


def _runs(image: str) -> bool:
    if shutil.which("docker") is None:
        return False
    trial = ["docker", "run", "--rm", "--network=none", "--entrypoint=promtool", image, "--version"]
    return subprocess.run(trial, capture_output=True, timeout=300, check=False).returncode == 0
