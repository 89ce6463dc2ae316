"""Prometheus' own tool, which knows its language: from the machine, else out of the image that compose.yaml pins."""

import functools
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
    if (missing := _missing()) is not None:
        pytest.skip(missing)
    command = [*_command(folder), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=110, check=False)


def _command(folder: Path | None) -> Sequence[str]:
    if "PROMETHEUS_IMAGE" not in os.environ and (found := shutil.which("promtool")):
        return [found]
    mounts = [f"--volume={place}:{place}:ro" for place in (ROOT, folder) if place is not None]
    isolated = ["--rm", "--network=none", "--user=0", "--pull=never"]
    return ["docker", "run", *isolated, *mounts, "--entrypoint=promtool", _image()]


@functools.cache
def _missing() -> str | None:
    """Why there is none. An image that was asked for by name is not looked for: whoever names it wants a failure."""
    if "PROMETHEUS_IMAGE" in os.environ or shutil.which("promtool"):
        return None
    if shutil.which("docker") is None:
        return "no promtool on PATH, and no docker to take it from an image"
    inspect = ["docker", "image", "inspect", "--format={{.Id}}", _image()]
    if subprocess.run(inspect, capture_output=True, timeout=30, check=False).returncode == 0:
        return None
    return "no promtool on PATH, nor its image: docker compose pull prometheus (PROMETHEUS_IMAGE names another)"


def _image() -> str:
    services = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]
    return os.environ.get("PROMETHEUS_IMAGE") or str(services["prometheus"]["image"])
