"""Docker by its own command: what the tests of the images and `make images` ask of it."""

import json
import subprocess
import tarfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from deploy.compose import project

ANSWER_SECONDS = 5


def run(*arguments: str, seconds: float = 60) -> "subprocess.CompletedProcess[str]":
    """`docker …`, whatever its exit code."""
    return subprocess.run(
        ["docker", *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=seconds, check=False
    )


def docker(*arguments: str, stdin: str = "", seconds: float = 60) -> str:
    """What `docker …` prints, without the end of the last line. Raises `DockerFailed`."""
    return project.docker(*arguments, stdin=stdin, seconds=seconds).strip()


def answers() -> bool:
    """Whether there is an engine."""
    try:
        return run("version", "--format", "{{.Server.Version}}", seconds=ANSWER_SECONDS).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def exists(image: str) -> bool:
    return run("image", "inspect", image).returncode == 0


def inspect(image: str) -> dict[str, Any]:
    """Everything that the engine knows of an image."""
    (found,) = json.loads(docker("image", "inspect", image))
    return dict(found)


def layers(image: str) -> list[str]:
    return list(inspect(image)["RootFS"]["Layers"])


@dataclass(frozen=True)
class Entry:
    """A file or a folder of an image, by its path without the first slash; `size` in bytes, 0 for what is no file."""

    path: str
    mode: int
    uid: int
    gid: int
    size: int
    is_link: bool
    is_folder: bool
    is_file: bool

    def writable_by(self, user: int) -> bool:
        """For an owner always: who may change the mode may write."""
        ours = self.uid == user or (self.gid == user and self.mode & 0o020) or self.mode & 0o002
        return bool(ours) and (self.is_file or self.is_folder)


def entries(image: str) -> list[Entry]:
    """The whole file system, and what Docker puts into every container: /dev, and empty files in /etc."""
    with _created(image) as container:
        process = subprocess.Popen(["docker", "export", container], stdout=subprocess.PIPE)
        with process, tarfile.open(fileobj=process.stdout, mode="r|") as files:
            return [_entry(file) for file in files]


def _entry(file: tarfile.TarInfo) -> Entry:
    link = file.issym() or file.islnk()
    path = file.name.removeprefix("./")
    kinds = {"is_link": link, "is_folder": file.isdir(), "is_file": file.isfile()}
    return Entry(path, file.mode, file.uid, file.gid, file.size, **kinds)


def size(files: Iterable[Entry]) -> int:
    """Bytes of all files, the base's too; a second name of a file costs nothing.

    Not the size that the engine names: that is of packed layers, of unpacked ones or of both, depending on where the
    engine keeps its images.
    """
    return sum(file.size for file in files)


@contextmanager
def _created(image: str) -> Iterator[str]:
    container = docker("create", "--network", "none", image)
    try:
        yield container
    finally:
        docker("rm", "--volumes", container)
