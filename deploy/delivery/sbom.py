"""What an image is made of, by CycloneDX: `python -m deploy.delivery.sbom orders`, or `--image banyan/orders:…`.

It is read from the lock, whose hashes are the only thing that the recipe installs. Debian's part of an image is not in
it: that is the base's, and the SBOM that the pipeline attaches to an image in a registry holds it.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from deploy.delivery import image, lock, source
from deploy.delivery.asking import Ask, Failed, ask, ended
from deploy.local.place import ROOT, Place
from deploy.local.programs import commit

COMMIT, MARKER = "banyan:commit", "uv:package:marker"
ALWAYS = "python_version >= '3'"


def main() -> int:
    """Entry point of the command."""
    parser = argparse.ArgumentParser(prog="python -m deploy.delivery.sbom", description=__doc__)
    parser.add_argument("service", nargs="*", help=f"of {', '.join(lock.IMAGES)}; without one all of them")
    parser.add_argument("--image", help="as the lock stood at the commit that this image is of")
    options = parser.parse_args()
    folder = Place.current().home / "sbom"
    if options.image:
        return ended("sbom", lambda: _of_image(options.image, folder, ask))
    return ended("sbom", lambda: _of_checkout(options.service or lock.IMAGES, folder, ask))


def _of_checkout(names: Sequence[str], folder: Path, asked: Ask) -> int:
    for name in names:
        write(make(name, revision(asked), asked), folder / f"{name}.cdx.json")
    return 0


def _of_image(reference: str, folder: Path, asked: Ask) -> int:
    name, at, made = of_image(reference, asked)
    write(made, folder / f"{name}-{at}.cdx.json")
    return 0


def of_image(reference: str, asked: Ask) -> tuple[str, str, dict[str, Any]]:
    """Which of ours it is, its commit, and the document as the lock stood there. Raises `Failed`."""
    found = image.find(reference, asked)
    name = (found.title or "").removeprefix(image.OURS)
    known = source.commit(found.revision, ROOT, asked) if found.revision else None
    if name not in lock.IMAGES or known is None:
        raise Failed(f"{reference} leads to no commit of this repository: make whence IMAGE={reference}")
    if known.changed:
        raise Failed(f"{reference} holds changes that were never committed: its lock cannot be known")
    at = known.sha[:12]
    with tempfile.TemporaryDirectory() as folder:
        _unpack(known.sha, name, Path(folder), asked)
        return name, at, make(name, at, asked, Path(folder))


def revision(asked: Ask) -> str:
    """The commit that is checked out, and whether the lock is another than it has."""
    changed = asked(("git", "-C", str(ROOT), "status", "--porcelain", "--", "uv.lock", ":(glob)**/pyproject.toml"))
    return commit() + (source.DIRTY if changed.out.strip() else "")


def make(name: str, at: str, asked: Ask, project: Path = ROOT) -> dict[str, Any]:
    """The document of an image: uv's, which calls everything a library, with the image as what it describes."""
    made: dict[str, Any] = json.loads(lock.export(name, "cyclonedx1.5", asked, project))
    _narrow(made)
    described = made["metadata"]["component"]
    described |= {"type": "application", "name": f"{image.OURS}{name}"}
    described["properties"] = [*described.get("properties", ()), {"name": COMMIT, "value": at}]
    return made


def _narrow(made: dict[str, Any]) -> None:
    """Take out what the lock has for other machines than an image is."""
    parts = [part for part in made["components"] if lock.held(_property(part, MARKER) or ALWAYS)]
    known = {part["bom-ref"] for part in (*parts, made["metadata"]["component"])}
    edges = [edge for edge in made["dependencies"] if edge["ref"] in known]
    for edge in edges:
        if "dependsOn" in edge:
            edge["dependsOn"] = [ref for ref in edge["dependsOn"] if ref in known]
    made |= {"components": parts, "dependencies": edges}


def _property(part: dict[str, Any], name: str) -> str | None:
    return next((found["value"] for found in part.get("properties", ()) if found["name"] == name), None)


def _unpack(sha: str, name: str, folder: Path, asked: Ask) -> None:
    """What uv reads to narrow the lock, as it was at a commit."""
    files = ["pyproject.toml", "uv.lock", "chassis/pyproject.toml"]
    files += [f"services/{name}/pyproject.toml"] if name != lock.TOOLS else []
    for file in files:
        target = folder / file
        target.parent.mkdir(parents=True, exist_ok=True)
        answer = asked(("git", "-C", str(ROOT), "show", f"{sha}:{file}"))
        if not answer.good:
            raise Failed(f"commit {sha[:12]} has no {file}: {answer.complaint}")
        target.write_text(answer.out)


def write(made: dict[str, Any], file: Path) -> None:
    """Write it, and say in one line what is in it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(made, indent=2) + "\n")
    described, parts = made["metadata"]["component"], made["components"]
    at = _property(described, COMMIT)
    bought = [part for part in parts if "purl" in part]
    ours = f", {len(parts) - len(bought)} of ours" if len(parts) > len(bought) else ""
    print(f"{described['name']:<18} {at}  {len(bought)} packages{ours}: {_shown(file)}")


def _shown(file: Path) -> Path:
    return file.relative_to(ROOT) if file.is_relative_to(ROOT) else file


if __name__ == "__main__":
    sys.exit(main())
