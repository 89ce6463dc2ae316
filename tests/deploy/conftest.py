"""One copy of deploy/ and one rendering of each overlay for all tests of a session."""

import functools
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.deploy.manifests import Manifests
from tests.deploy.rendering import OVERLAYS, copy_of_deploy, kustomize

Render = Callable[[str], Manifests]


@pytest.fixture(scope="session")
def deploy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of deploy/ that has all that the local overlay needs."""
    return copy_of_deploy(tmp_path_factory.mktemp("of"))


@pytest.fixture(scope="session")
def rendered(deploy: Path) -> Render:
    """An overlay by its name. Who wants to change something in it takes a copy."""

    @functools.cache
    def render(overlay: str) -> Manifests:
        return Manifests(overlay, kustomize(deploy / "overlays" / overlay))

    return render


@pytest.fixture(scope="session")
def gitops(deploy: Path) -> Manifests:
    """What Argo CD is told."""
    return Manifests("gitops", kustomize(deploy / "gitops"))


@pytest.fixture(params=OVERLAYS)
def manifests(request: pytest.FixtureRequest, rendered: Render) -> Manifests:
    """Each overlay, one after the other."""
    return rendered(request.param)
