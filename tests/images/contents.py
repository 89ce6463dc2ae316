"""What lies in an image: looked at once, for there are many questions about it."""

import functools
import json
from pathlib import Path
from typing import Any

from tests.images import docker
from tests.images.stage import PYTHON

PROGRAM = Path(__file__).with_name("inside.py")


@functools.cache
def entries(image: str) -> list[docker.Entry]:
    """The file system of an image, read once."""
    return docker.entries(image)


@functools.cache
def inside(image: str, service: str) -> dict[str, Any]:
    """What `inside.py` finds in an image."""
    program = PROGRAM.read_text()
    hardened = ("--network", "none", "--read-only", "--cap-drop", "ALL")
    command = ("run", "--rm", "--interactive", *hardened, "--entrypoint", PYTHON, image, "-", service)
    return dict(json.loads(docker.docker(*command, stdin=program)))
