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

WAIVERS = Path(__file__).parent / "waivers.yaml"


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
    parser = argparse.ArgumentParser(prog="python -m tests.deploy.checkov", description=__doc__)
    parser.add_argument("--checkov", default="checkov", help="the package, with its version")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="banyan-") as folder:
        deploy = copy_of_deploy(Path(folder))
        found = [each for overlay in OVERLAYS for each in check(deploy, overlay, options.checkov)]
    complaints = [*unwaived(found, waivers()), *unused(found, waivers())]
    print(
        "\n".join(
            [*complaints, f"checkov: {len(found)} findings, {len(found) - len(unwaived(found, waivers()))} waived"]
        )
    )
    return 1 if complaints else 0


def check(deploy: Path, overlay: str, package: str) -> list[Failure]:
    """What checkov finds in one overlay; it must have looked at something."""
    objects = kustomize(deploy / "overlays" / overlay)
    with tempfile.TemporaryDirectory(prefix="banyan-") as folder:
        (Path(folder) / "all.yaml").write_text(yaml.safe_dump_all(objects))
        done = subprocess.run([*command(package), "--directory", folder], capture_output=True, text=True, check=False)
    try:
        report = json.loads(done.stdout)
        passed = report["summary"]["passed"]
    except (ValueError, KeyError, TypeError):
        raise SystemExit(f"checkov: {done.stderr or done.stdout}") from None
    if not passed or report["summary"]["parsing_errors"]:
        raise SystemExit(f"checkov looked at nothing: {report['summary']}")
    return list(failures(overlay, report))


def command(package: str) -> list[str]:
    """Checkov without a look at the network, saying everything, ending well whatever it finds."""
    uv = shutil.which("uv") or str(ROOT / ".banyan/uv/bin/uv")
    tool = [uv, "tool", "run", "--quiet", "--python", sys.executable, "--from", package, "checkov"]
    return [*tool, "--skip-download", "--quiet", "--compact", "--soft-fail", "--framework=kubernetes", "--output=json"]


def failures(overlay: str, report: Mapping[str, Any]) -> Iterator[Failure]:
    """`Deployment.banyan.orders` is what checkov calls an object."""
    for each in report["results"]["failed_checks"]:
        kind, _, rest = each["resource"].partition(".")
        name = f"{kind}/{plain(rest.split('.')[1] if '.' in rest else rest)}"
        yield Failure(overlay, each["check_id"], name, each["check_name"])


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
