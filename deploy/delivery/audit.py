"""Known vulnerabilities in what is delivered: pip-audit over the lock. `python -m deploy.delivery.audit [orders …]`.

Ends with 0 where each package was asked about and nothing is known, 1 where something is known, 3 where the advisories
could not be had for all of them. pip-audit ends with 0 as well when nobody could tell it anything of any package, so
its own word is not taken for it: what it skipped counts.
"""

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deploy.delivery import lock, sbom
from deploy.delivery.asking import Answer, Ask, ask, ended

# Of its own, for it brings thirty packages that ours would have to agree with.
PIP_AUDIT = "pip-audit==2.10.1"
FOUND, NOT_AUDITED = 1, 3
# A package by name and version, and the images that hold it.
Packages = Mapping[tuple[str, str], Sequence[str]]


@dataclass(frozen=True)
class Audit:
    """`asked` packages were looked up, `known` are lines for people, `obstacle` is why others were not looked up."""

    asked: int = 0
    known: tuple[str, ...] = ()
    obstacle: str | None = None

    @property
    def code(self) -> int:
        """What is known weighs more than what is not."""
        if self.known:
            return FOUND
        return NOT_AUDITED if self.obstacle else 0


def main() -> int:
    """Entry point of the command."""
    parser = argparse.ArgumentParser(prog="python -m deploy.delivery.audit", description=__doc__)
    parser.add_argument("service", nargs="*", help=f"of {', '.join(lock.IMAGES)}; without one all of them")
    options = parser.parse_args()
    return ended("audit", lambda: show(audit(options.service or lock.IMAGES, ask)))


def audit(names: Sequence[str], asked: Ask) -> Audit:
    """Look up what these images hold, each package once."""
    packages = delivered(names, asked)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "packages.txt"
        file.write_text("".join(f"{name}=={version}\n" for name, version in sorted(packages)))
        return read(asked(command(file)), packages)


def delivered(names: Sequence[str], asked: Ask) -> Packages:
    """What is bought in: of what is ours nobody else writes advisories."""
    packages: dict[tuple[str, str], list[str]] = {}
    for name in names:
        for part in sbom.make(name, "", asked)["components"]:
            if "purl" in part:
                packages.setdefault((part["name"], part["version"]), []).append(name)
    return packages


def command(file: Path) -> tuple[str, ...]:
    """pip-audit over a list that is whole: nothing needs to be resolved, nothing is installed."""
    run = (lock.uv(), "tool", "run", "--quiet", "--python", sys.executable, "--from", PIP_AUDIT, "pip-audit")
    return (*run, "--no-deps", "--disable-pip", "--progress-spinner", "off", "--format", "json", "-r", str(file))


def read(answer: Answer, packages: Packages) -> Audit:
    """What pip-audit found; also of an answer that is none."""
    try:
        told = json.loads(answer.out)["dependencies"]
    except (ValueError, LookupError, TypeError):
        return Audit(obstacle=answer.complaint)
    heard = [package for package in told if "vulns" in package]
    skipped = [package["skip_reason"] for package in told if "skip_reason" in package]
    known = tuple(_line(package, one, packages) for package in heard for one in package["vulns"])
    missing = len(packages) - len(heard)
    reason = skipped[0] if skipped else "pip-audit did not mention them"
    return Audit(len(heard), known, f"{missing} of {len(packages)} packages; {reason}" if missing > 0 else None)


def _line(package: Mapping[str, Any], one: Mapping[str, Any], packages: Packages) -> str:
    fixed = ", ".join(one.get("fix_versions") or ()) or "nothing yet"
    holders = ", ".join(packages.get((package["name"], package["version"]), ()))
    return f"{package['name']} {package['version']}: {one['id']}, mended by {fixed}; in {holders}"


def show(found: Audit) -> int:
    """Print it; returns the exit code."""
    for line in found.known:
        print(line)
    if found.asked:
        print(f"audited: {found.asked} packages, {len(found.known)} known vulnerabilities")
    if found.obstacle:
        _warn(found.obstacle)
    return found.code


def _warn(text: str) -> None:
    """Where a run is read by nobody until it is red, it is said on its first page."""
    sys.stdout.flush()
    sys.stderr.write(f"not audited: {text}\n")
    if os.environ.get("GITHUB_ACTIONS"):
        print(f"::warning title=not audited::{text}")


if __name__ == "__main__":
    sys.exit(main())
