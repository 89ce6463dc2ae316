"""deploy/ as kustomize renders it, from a copy that has what the local overlay is given and no commit may hold."""

import functools
import os
import shutil
import subprocess
import sysconfig
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

from deploy.kubernetes import generate
from deploy.local.place import ROOT

OVERLAYS = ("local", "staging", "production")
COMMIT = "0123456789ab"
KUBECTL = Path(sysconfig.get_path("scripts")) / "kubectl"
# The safe one, in C where there is a C.
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

Object = dict[str, Any]


class RenderError(Exception):
    """Kustomize refused; the text is what it said."""


def copy_of_deploy(folder: Path) -> Path:
    """Made anew in this folder, with secrets of its own."""
    deploy = folder / "deploy"
    shutil.copytree(ROOT / "deploy", deploy, ignore=shutil.ignore_patterns("generated", "__pycache__"))
    generate.generate(deploy / "overlays" / "local" / "generated", COMMIT)
    return deploy


def kustomize(folder: Path) -> list[Object]:
    """What `kubectl apply -k` would send, without a cluster being asked."""
    done = subprocess.run(
        [KUBECTL, "kustomize", folder],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": os.defpath, "HOME": "/"},
    )
    if done.returncode != 0:
        raise RenderError(done.stderr)
    if done.stderr:
        raise RenderError(f"a warning: {done.stderr}")
    return [each for each in yaml.load_all(done.stdout, Loader=_LOADER) if each]


def combination(deploy: Path, base: str, components: Iterable[str]) -> list[Object]:
    """A base with these components, as an overlay of somebody else would put them together."""
    names = sorted(components)
    folder = deploy / "overlays" / f"of-{'-'.join(names)}"
    folder.mkdir(exist_ok=True)
    settings = {
        "resources": [f"../../{base}"],
        "components": [f"../../components/{name}" for name in names],
    }
    (folder / "kustomization.yaml").write_text(yaml.safe_dump(settings))
    return kustomize(folder)


@functools.cache
def components() -> tuple[str, ...]:
    """The concerns that an overlay can add."""
    return tuple(sorted(file.parent.name for file in (ROOT / "deploy/components").glob("*/kustomization.yaml")))
