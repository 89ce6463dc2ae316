"""The lock, narrowed by uv to what one image holds; uv is the one that `make setup` brings, or the reader's own."""

import shutil
from pathlib import Path

from packaging.markers import Marker

from deploy.delivery.asking import NOT_INSTALLED, Ask, Failed
from deploy.local.place import ROOT
from deploy.local.programs import BY_NAME

TOOLS = "tools"
# All that is delivered: an image each.
IMAGES = (*sorted(BY_NAME), TOOLS)
# The interpreter of the recipes' base, on each kind of machine that images are built for.
MACHINES = ("x86_64", "aarch64")
INSIDE = {
    "implementation_name": "cpython",
    "os_name": "posix",
    "platform_python_implementation": "CPython",
    "platform_system": "Linux",
    "python_full_version": "3.13.0",
    "python_version": "3.13",
    "sys_platform": "linux",
}


def uv() -> str:
    """The program; ours first, whose version is known to write what is read here."""
    ours = ROOT / ".banyan" / "uv" / "bin" / "uv"
    return str(ours) if ours.exists() else shutil.which("uv") or "uv"


def selection(name: str) -> tuple[str, ...]:
    """The options that choose the dependencies of an image, as its recipe does. Raises `Failed`."""
    if name not in IMAGES:
        raise Failed(f"there is no {name}; there are {', '.join(IMAGES)}")
    return ("--only-group", TOOLS) if name == TOOLS else ("--no-dev", "--package", f"banyan-{name}")


def held(marker: str) -> bool:
    """Whether an image holds what is locked under this condition: what Windows alone needs, none does."""
    return any(Marker(marker).evaluate({**INSIDE, "platform_machine": machine}) for machine in MACHINES)


def export(name: str, form: str, ask: Ask, project: Path = ROOT) -> str:
    """What the lock in `project` says of an image, in a format of `uv export`. Raises `Failed`."""
    command = (uv(), "export", "--quiet", "--frozen", "--no-header", "--project", str(project), "--format", form)
    answer = ask((*command, "--preview-features", "sbom-export", *selection(name)))
    if answer.code == NOT_INSTALLED:
        raise Failed("uv is not here: make setup brings it")
    if not answer.good:
        raise Failed(f"uv cannot export the lock for {name}: {answer.complaint}")
    return answer.out
