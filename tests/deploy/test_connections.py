"""A database has a connection for whoever may want one while its service is at its largest and is rolled out."""

import math
from collections.abc import Mapping

import pytest

from chassis.settings import DatabaseSettings
from chassis.storage import OVERFLOW
from legacy.main import THREADS
from tests.deploy.conftest import Render
from tests.deploy.manifests import Container, Manifests, Pod, title
from tests.deploy.ours import end_of, name_of, services_in
from tests.deploy.test_quota import most

POOL = int(DatabaseSettings.model_fields["database_pool"].default)
# PostgreSQL keeps three for its superuser. The operator and its exporter have some, and so has a person with psql.
OTHERS = 3 + 12
# How many of the old replicas may still drain: the next is ready long before the one that it replaces has ended.
DRAINING = 0.5


@pytest.fixture(params=("staging", "production"))
def lasting(request: pytest.FixtureRequest, rendered: Render) -> Manifests:
    return rendered(request.param)


def test_a_database_has_a_connection_for_everybody(lasting: Manifests) -> None:
    for each in lasting.of("Cluster"):
        there = int(each["spec"]["postgresql"]["parameters"]["max_connections"])
        assert wanted(lasting, each["metadata"]["name"]) + OTHERS <= there, title(each)


def test_each_database_is_somebodys(lasting: Manifests) -> None:
    assert [title(each) for each in lasting.of("Cluster") if not wanted(lasting, each["metadata"]["name"])] == []


def wanted(manifests: Manifests, database: str) -> int:
    """By all replicas of those whose settings lead to it; what a migration holds is less than the pool that follows."""
    return sum(
        at_once(manifests, container.pod) * pool(container, given)
        for container, given in services_in(manifests)
        if end_of(given.get("DATABASE_URL", ""))[0] == database
    )


def pool(container: Container, given: Mapping[str, str]) -> int:
    """How many connections one replica may have. The old shop has one for each of its threads."""
    return THREADS if name_of(container) == "legacy" else int(given.get("DATABASE_POOL", POOL)) + OVERFLOW


def at_once(manifests: Manifests, pod: Pod) -> int:
    """The most replicas with those of a roll-out, and those that have not ended yet."""
    replicas = int(most(manifests, pod))
    return replicas + math.ceil(DRAINING * replicas)
