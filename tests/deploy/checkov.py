"""Checkov over what each overlay renders to: `python -m tests.deploy.checkov`.

Run as `make lint` runs it: outside of the lock, for it brings a hundred packages that ours would have to agree with.
What it says against an object is either mended or in waivers.yaml with a reason; a waiver that nobody needs fails too.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import yaml

from deploy.local.place import ROOT
from tests.deploy.manifests import plain
from tests.deploy.rendering import OVERLAYS, copy_of_deploy, kustomize

# The Makefile names it as well, for the recipes of images.
PACKAGE = "checkov==3.3.30"
WAIVERS = Path(__file__).parent / "waivers.yaml"
# Checks that pass, by far.
LEAST = 1000


@dataclass(frozen=True)
class Failure:
    """One check that one object of an overlay does not pass."""

    overlay: str
    check: str
    name: str
    what: str


@dataclass(frozen=True)
class Waiver:
    """Objects, by pattern, for which a check is not asked, and why."""

    check: str
    objects: tuple[str, ...]
    reason: str

    def covers(self, failure: Failure) -> bool:
        return failure.check == self.check and any(fnmatch(failure.name, each) for each in self.objects)


def main() -> int:
    """Entry point of the command."""
    argparse.ArgumentParser(prog="python -m tests.deploy.checkov", description=__doc__).parse_args()
    found, known = check(), waivers()
    complaints = [*unwaived(found, known), *unused(found, known)]
    print(
        "\n".join([*complaints, f"checkov: {len(found)} findings, {len(found) - len(unwaived(found, known))} waived"])
    )
    return 1 if complaints else 0


def check() -> list[Failure]:
    """What checkov finds in the overlays; it must have looked at something."""
    with tempfile.TemporaryDirectory(prefix="banyan-") as place:
        deploy, folder = copy_of_deploy(Path(place)), Path(place) / "rendered"
        folder.mkdir()
        for overlay in OVERLAYS:
            objects = kustomize(deploy / "overlays" / overlay)
            (folder / f"{overlay}.yaml").write_text(yaml.safe_dump_all(objects))
        done = subprocess.run([*command(), f"--directory={folder}"], capture_output=True, text=True, check=False)
    try:
        report = json.loads(done.stdout)
        summary = report["summary"]
    except (ValueError, KeyError, TypeError):
        raise SystemExit(f"checkov: {done.stderr or done.stdout}") from None
    if summary["parsing_errors"] or summary["passed"] < LEAST:
        raise SystemExit(f"checkov has not looked at everything: {summary}")
    return list(failures(report))


def command() -> list[str]:
    """Checkov without a look at the network, saying everything, ending well whatever it finds."""
    uv = shutil.which("uv") or str(ROOT / ".banyan/uv/bin/uv")
    tool = [uv, "tool", "run", "--quiet", "--python", sys.executable, "--from", PACKAGE, "checkov"]
    return [*tool, "--skip-download", "--quiet", "--compact", "--soft-fail", "--framework=kubernetes", "--output=json"]


def failures(report: Mapping[str, Any]) -> Iterator[Failure]:
    """`Deployment.banyan.orders` is what checkov calls an object, `/local.yaml` the file."""
    for each in report["results"]["failed_checks"]:
        kind, _, rest = each["resource"].partition(".")
        name = f"{kind}/{plain(rest.split('.')[1] if '.' in rest else rest)}"
        yield Failure(Path(each["file_path"]).stem, each["check_id"], name, each["check_name"])


def waivers() -> tuple[Waiver, ...]:
    """What is waived; each with a reason."""
    listed = yaml.safe_load(WAIVERS.read_text()) or []
    return tuple(Waiver(each["check"], tuple(each["objects"]), each["reason"]) for each in listed)


def unwaived(found: Iterable[Failure], known: Iterable[Waiver]) -> list[str]:
    return [
        f"{each.overlay}: {each.name}: {each.check} {each.what}"
        for each in found
        if not any(waiver.covers(each) for waiver in known)
    ]


def unused(found: Iterable[Failure], known: Iterable[Waiver]) -> list[str]:
    """A waiver, or a name in it, that covers nothing any more."""
    single = [Waiver(waiver.check, (name,), waiver.reason) for waiver in known for name in waiver.objects]
    everything = list(found)
    return [
        f"waivers.yaml: {waiver.check} for {waiver.objects[0]} is not needed"
        for waiver in single
        if not any(waiver.covers(each) for each in everything)
    ]


if __name__ == "__main__":
    os.environ.setdefault("LOG_LEVEL", "ERROR")
    sys.exit(main())
