"""Where an image comes from: `python -m deploy.delivery.whence banyan/orders:1234567890ab`, or `pod/NAME`.

Ends with 0 where it leads to a commit of this repository, 3 where it does not, 1 where there is no such image.
"""

import argparse
import json
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from deploy.delivery import image, pod, signature, source
from deploy.delivery.asking import Ask, Failed, ask, ended
from deploy.delivery.image import Image
from deploy.delivery.source import Commit
from deploy.local.place import ROOT

UNTRACED = 3


@dataclass(frozen=True)
class Whence:
    """All that is known of an image; what is not known says why."""

    image: str
    remote: str | None
    created: str
    platforms: tuple[str, ...]
    revision: str | None
    commit: Commit | None
    base: str
    sbom: str
    provenance: str
    signature: str


def main() -> int:
    """Entry point of the command."""
    parser = argparse.ArgumentParser(prog="python -m deploy.delivery.whence", description=__doc__)
    parser.add_argument("image", help="by tag or digest, here or in a registry; or pod/NAME")
    parser.add_argument("--json", action="store_true", help="for programs: a list with one object an image")
    options = parser.parse_args()
    return ended("whence", lambda: show(options.image, ROOT, ask, as_json=options.json))


def show(name: str, root: Path, asked: Ask, *, as_json: bool) -> int:
    """Print it; returns the exit code."""
    known = [whence(found, root, asked) for found in _images(name, asked)]
    if as_json:
        print(json.dumps([asdict(one) for one in known], indent=2, ensure_ascii=False))
    else:
        print("\n\n".join(map(text, known)))
    return 0 if any(one.commit for one in known) else UNTRACED


def _images(name: str, asked: Ask) -> tuple[Image, ...]:
    if not name.startswith(pod.PREFIX):
        return (image.find(name, asked),)
    found = []
    for reference in pod.images(name, asked):
        try:
            found.append(image.find(reference, asked))
        except Failed as failure:  # one that cannot be reached from here must not hide the others
            sys.stderr.write(f"whence: {failure}\n")
    if not found:
        raise Failed(f"none of the images of {name} can be looked at from here")
    return tuple(found)


def whence(found: Image, root: Path, asked: Ask) -> Whence:
    """Put together what image, registry, repository and cosign say."""
    known = source.commit(found.revision, root, asked) if found.revision else None
    return Whence(
        image=found.reference,
        remote=found.remote,
        created=found.created,
        platforms=found.platforms,
        revision=found.revision,
        commit=known,
        base=_base(found, known, root, asked),
        sbom=_sbom(found),
        provenance=_provenance(found),
        signature=signature.state(found, asked),
    )


def text(known: Whence) -> str:
    """For people."""
    rows = {
        "commit": _commit(known),
        "made": f"{known.created} for {', '.join(known.platforms)}",
        "registry": known.remote or "none: local image",
        "base": known.base,
        "SBOM": known.sbom,
        "provenance": known.provenance,
        "signature": known.signature,
    }
    return "\n".join([known.image, *(f"  {name:<11} {value}" for name, value in rows.items())])


def _commit(known: Whence) -> str:
    if known.revision is None:
        return "none: no label and no variable names one; it was built without COMMIT, or is not ours"
    if known.commit is None:
        return f"{known.revision}, which this repository does not have: git fetch, or it is another repository's"
    said = f"{known.revision}, {known.commit.date}: {known.commit.subject}"
    return said + ("\n              and changes that were never committed" if known.commit.changed else "")


def _base(found: Image, known: Commit | None, root: Path, asked: Ask) -> str:
    named = source.base(known, found.title, root, asked) if known else None
    if named is None:
        return "not known: without its commit there is no recipe to read it from"
    digest = named.partition("@sha256:")[2]
    confirmed = digest and digest in {used for one in (found.provenance or {}).values() for used in _materials(one)}
    return f"{named} ({'the provenance names it too' if confirmed else 'as the recipe of that commit says'})"


def _materials(provenance: Mapping[str, Any]) -> list[str]:
    """What went in, by digest, in either version of the provenance's format."""
    predicate = provenance["SLSA"]
    used = predicate.get("materials") or predicate.get("buildDefinition", {}).get("resolvedDependencies") or []
    return [thing.get("digest", {}).get("sha256", "") for thing in used]


def _sbom(found: Image) -> str:
    if found.sbom:
        counted = [f"{len(one['SPDX'].get('packages', ()))} packages ({name})" for name, one in found.sbom.items()]
        return f"attached, SPDX: {', '.join(sorted(counted))}"
    return _missing(found, "make sbom IMAGE=… writes what its commit's lock says")


def _provenance(found: Image) -> str:
    if found.provenance:
        return f"attached, built by {', '.join(sorted({_builder(one) for one in found.provenance.values()}))}"
    return _missing(found, "who built it is not written down")


def _builder(provenance: Mapping[str, Any]) -> str:
    predicate = provenance["SLSA"]
    builder = predicate.get("builder") or predicate.get("runDetails", {}).get("builder") or {}
    return str(builder.get("id") or "a builder without a name")


def _missing(found: Image, advice: str) -> str:
    if found.unasked:
        return f"not known: its registry cannot be asked: {found.unasked}"
    return f"none: local image; {advice}" if found.local else f"none attached; {advice}"


if __name__ == "__main__":
    sys.exit(main())
