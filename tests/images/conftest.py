"""The images under test are those of the commit that is checked out, or of the one that COMMIT names."""

import functools
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.local.programs import BY_NAME
from tests.images import docker
from tests.images.building import BuildError, Commit, asked_for
from tests.images.stage import Container, Stage, stage
from tests.servers.images import Images

SERVICES = sorted(BY_NAME)
OURS = [name for name in SERVICES if BY_NAME[name].chassis]
HERE = Path(__file__).parent


@functools.cache
def obstacle() -> str | None:
    """Why there is nothing to test here, or None."""
    if not docker.answers():
        return "no Docker engine answers; start one"
    try:
        commit = asked_for()
    except BuildError as error:
        return str(error)
    missing = [name for name in (*SERVICES, "tools") if not docker.exists(commit.tag(name))]
    return f"there is no {commit.tag(missing[0])}; `make images` builds it" if missing else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All tests here are marked, and run one after the other, on one stage."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.images)
            item.add_marker(pytest.mark.xdist_group("images"))


def pytest_collection_finish(session: pytest.Session) -> None:
    """Where there is nothing to test: who asked for these tests is told so, whoever ran all tests goes without."""
    mine = [item for item in session.items if HERE in item.path.parents]
    reason = obstacle() if mine else None
    if reason and re.search(r"(?<!not )\bimages\b", session.config.option.markexpr):
        raise pytest.UsageError(f"the images cannot be tested: {reason}")
    if reason:
        for item in mine:
            item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(scope="session")
def commit() -> Commit:
    return asked_for()


@pytest.fixture(params=[*SERVICES, "tools"])
def image(request: pytest.FixtureRequest, commit: Commit) -> str:
    """The tag of each image in turn."""
    return commit.tag(request.param)


@pytest.fixture(params=SERVICES)
def service(request: pytest.FixtureRequest) -> str:
    """The name of each service in turn."""
    return str(request.param)


@pytest.fixture(params=OURS)
def ours(request: pytest.FixtureRequest) -> str:
    """The name of each service in turn that has the chassis: all but the old shop."""
    return str(request.param)


@pytest.fixture(scope="session")
def scene(commit: Commit) -> Iterator[Stage]:
    """One network with PostgreSQL and NATS for all tests."""
    with stage(commit, Images.named_in(os.environ)) as made:
        yield made


@pytest.fixture(scope="session")
def identity(scene: Stage) -> Container:
    """The one who knows the keys; others ask it for them."""
    started = scene.service("identity")
    started.wait_until_ready()
    return started
