"""An image leads back to its commit, and holds what the lock of that commit says, neither more nor less."""

import json
import re

from deploy.delivery import image as described
from deploy.delivery import sbom, whence
from deploy.delivery.asking import ask
from deploy.local.place import ROOT
from tests.images.building import DIRTY, Commit
from tests.images.docker import docker
from tests.images.stage import PYTHON

INSIDE = """
import importlib.metadata, json
print(json.dumps([[found.name, found.version] for found in importlib.metadata.distributions()]))
"""


def normal(name: str) -> str:
    """A package's name as the index compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def test_an_image_leads_to_the_commit_that_it_was_made_of(image: str, commit: Commit) -> None:
    known = whence.whence(described.find(image, ask), ROOT, ask)
    assert known.revision == commit.sha
    assert known.commit is not None
    assert known.commit.sha.startswith(commit.sha.removesuffix(DIRTY))
    assert known.commit.changed == commit.sha.endswith(DIRTY)
    assert known.base.startswith("gcr.io/distroless/")


def test_what_an_image_holds_is_what_its_sbom_lists(image: str, commit: Commit) -> None:
    name = image.partition("/")[2].partition(":")[0]
    # Of a changed checkout no commit has the lock: it is the one that lies here.
    made = sbom.make(name, "", ask) if commit.sha.endswith(DIRTY) else sbom.of_image(image, ask)[2]
    listed = {(normal(part["name"]), part["version"]) for part in made["components"]}
    run = ("run", "--rm", "--network", "none", "--entrypoint", PYTHON, image, "-c", INSIDE)
    held = {(normal(distribution), version) for distribution, version in json.loads(docker(*run))}
    assert {(package, version) for package, version in held if package != f"banyan-{name}"} == listed
