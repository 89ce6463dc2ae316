"""Builds images as `make images` does: by Bake, from this checkout or a copy of it.

BAKE_ARGS holds further options, such as other base images where the pinned ones cannot be had.
"""

import os
import secrets
import shlex
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from deploy.local.place import ROOT
from tests.images import docker

RECIPE = "docker-bake.hcl"
# What images are made from: with one of these changed and not committed, no commit names what comes out.
SOURCES = (
    RECIPE, ".dockerignore", "pyproject.toml", "uv.lock", "chassis", "services",
    "deploy/compose", "deploy/local", "tests/invariants", "tests/traffic",
)  # fmt: skip
DIRTY = "-dirty"
CONTEXT = ("pyproject.toml", "uv.lock", ".dockerignore", "chassis", "services")


class BuildError(Exception):
    """An image could not be built; the text is the end of the log."""


@dataclass(frozen=True)
class Commit:
    """What an image is made from: `sha` has 12 digits, and `-dirty` behind them; `seconds` is when it was made."""

    sha: str
    seconds: int

    def tag(self, image: str) -> str:
        return f"banyan/{image}:{self.sha}"


def checked_out(root: Path = ROOT) -> Commit:
    """The commit that is checked out. An image of a changed source is not its: tag and label say `-dirty`."""
    commit = _commit("HEAD", root)
    changed = _git(root, "status", "--porcelain", "--untracked-files=all", "--", *SOURCES)
    return Commit(commit.sha + DIRTY, commit.seconds) if changed else commit


def asked_for() -> Commit:
    """The one that COMMIT names, or the one that is checked out."""
    name = os.environ.get("COMMIT")
    if not name:
        return checked_out()
    commit = _commit(name.removesuffix(DIRTY), ROOT)
    return Commit(commit.sha + DIRTY, commit.seconds) if name.endswith(DIRTY) else commit


def _commit(name: str, root: Path) -> Commit:
    sha, seconds = _git(root, "show", "--no-patch", "--abbrev=12", "--format=%h %ct", name).split()
    return Commit(sha, int(seconds))


def _git(root: Path, *arguments: str) -> str:
    command = ["git", "--no-optional-locks", *arguments]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise BuildError(f"this checkout cannot name its commit: {done.stderr.strip()}")
    return done.stdout


@dataclass(frozen=True)
class Build:
    """One call of Bake. `context` is the folder that is built from."""

    commit: Commit
    context: Path = ROOT
    options: Sequence[str] = ()
    variables: Mapping[str, str] = field(default_factory=dict)

    def of(self, *targets: str) -> None:
        """Build `targets`, all of them without a name; shows nothing unless it fails."""
        done = subprocess.run(
            self.command(*targets), env=self.environment(), cwd=ROOT, capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            raise BuildError(done.stderr[-4000:])

    def shown(self, *targets: str) -> None:
        """The same with Docker's own display of its progress."""
        if subprocess.run(self.command(*targets), env=self.environment(), cwd=ROOT, check=False).returncode != 0:
            raise BuildError("the images could not be built")

    def command(self, *targets: str) -> list[str]:
        # By name: without it Bake reads compose.yaml too, and builds the union of both.
        files = ["--file", RECIPE, "--set", f"*.context={self.context}"]
        further = shlex.split(os.environ.get("BAKE_ARGS", ""))
        return ["docker", "buildx", "bake", *files, *further, *self.options, *targets]

    def environment(self) -> dict[str, str]:
        # Only this machine's own platform: an image index cannot be loaded into the engine.
        recipe = {"COMMIT": self.commit.sha, "SOURCE_DATE_EPOCH": str(self.commit.seconds), "PLATFORMS": ""}
        return {**os.environ, **recipe, **self.variables}


@contextmanager
def built(build: Build, service: str) -> Iterator[str]:
    """An image of `service` under a name of its own, for the time of the block."""
    tag = f"banyan/{service}:test-{secrets.token_hex(4)}"
    named = Build(build.commit, build.context, (*build.options, "--set", f"{service}.tags={tag}"), build.variables)
    named.of(service)
    try:
        yield tag
    finally:
        docker.docker("rmi", tag)


def copy_context(folder: Path) -> Path:
    """A copy of all that the services are built from, to change things in."""
    ignored = shutil.ignore_patterns("__pycache__", "tests", ".venv")
    for name in CONTEXT:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=ignored)
        else:
            shutil.copy2(source, folder / name)
    return folder


def change_a_line(context: Path, service: str, line: str) -> None:
    """Add `line` to the program of a service."""
    with (context / "services" / service / "src" / service / "main.py").open("a") as program:
        program.write(f"\n{line}\n")
