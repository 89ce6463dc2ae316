"""Builds the image of one service into a folder: with PLATFORMS for each of them, by a builder that can do it, with
what is known of its making attached; without, for this machine, by any engine."""

import os
import re
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from deploy.delivery.image import REVISION
from deploy.kubernetes.promote import DIGITS
from deploy.local.place import ROOT
from deploy.pipeline.layout import Layout
from deploy.pipeline.tools import Failed, Run
from tests.images.building import Build, BuildError, checked_out

PLACE = ROOT / ".banyan" / "pipeline"
SERVICES = sorted(file.parent.name for file in ROOT.glob("services/*/pyproject.toml"))
# Layers of earlier builds are kept apart from what is run, so that there each tag is a commit.
CACHE = "build-cache"
# Named here, for otherwise BuildKit takes whichever is the newest.
SCANNER = "docker/buildkit-syft-scanner:1.12.0@sha256:ae4f3b554449e7e25548e7d8ccc029d17357348e30c6e3df01b92bc93654d6a9"


def build(service: str, run: Run, environ: Mapping[str, str] = os.environ) -> dict[str, Layout]:
    """Make it, and give the folder of each platform. Raises `Failed`."""
    made_from, folder = checked_out(), PLACE / service
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    archive = folder / "image.tar"
    platforms = environ.get("PLATFORMS", "")
    try:
        if platforms:
            options = (*published(service, archive), *cache(service, environ))
            Build(made_from, options=options, variables={"PLATFORMS": platforms}).shown(service)
        else:
            Build(made_from).shown(service)
            run(("docker", "save", "--output", str(archive), made_from.tag(service)))
    except BuildError as error:
        raise Failed(str(error)) from error
    return Layout.unpacked(archive, folder / "all").split(folder)


def published(service: str, archive: Path) -> Sequence[str]:
    """How Bake makes what is published: an archive, with how it was made and what is in it inside."""
    return (f"--set={service}.output=type=oci,dest={archive}", "--provenance=mode=max", f"--sbom=generator={SCANNER}")


def cache(service: str, environ: Mapping[str, str]) -> Sequence[str]:
    """CACHE=read takes the layers of earlier builds from the registry, CACHE=write leaves this one's there too."""
    kind = environ.get("CACHE", "")
    if kind not in ("", "read", "write"):
        raise Failed(f"CACHE={kind} is neither read nor write")
    kept = f"type=registry,ref={environ['REGISTRY']}/{CACHE}:{service}" if kind else ""
    reads = (f"--set={service}.cache-from={kept}",) if kind else ()
    writes = (f"--set={service}.cache-to={kept},mode=max",) if kind == "write" else ()
    return (*reads, *writes)


def made(service: str) -> Layout:
    """What `make image` has left."""
    layout = Layout(PLACE / service / "all")
    if not layout.folder.is_dir():
        raise Failed(f"there is no image of {service} yet: make image SERVICE={service}")
    return layout


def scannable(service: str) -> list[Path]:
    """The folders of its platforms."""
    made(service)
    return sorted(file.parent for file in (PLACE / service).glob("*/index.json") if file.parent.name != "all")


def commit(layout: Layout) -> str:
    """What an image says that it is made from: its name, whatever is checked out by now. Raises `Failed`."""
    said = " and ".join(sorted(layout.labels(REVISION)))
    if not re.fullmatch(rf"[0-9a-f]{{{DIGITS}}}", said):
        raise Failed(f"it is of {said}: what is pushed is made from one commit, and from nothing but that")
    return said
