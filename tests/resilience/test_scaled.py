"""Three replicas of a service share the work; one of them publishes what all of them have to tell."""

from collections.abc import Iterator

import pytest

from deploy.compose import project
from tests.system.customers import assert_books_balance, customers
from tests.system.shop import Shop, until

SCALED = ("orders", "inventory", "payments")
SAMPLES = """
import sys, urllib.request
text = urllib.request.urlopen("http://127.0.0.1:8080/metrics", timeout=5).read().decode()
lines = [line for line in text.splitlines() if line.startswith(sys.argv[1])]
print(sum(float(line.rsplit(" ", 1)[1]) for line in lines))
"""


@pytest.fixture
def three_of_each() -> Iterator[None]:
    project.scale(**dict.fromkeys(SCALED, 3))
    yield
    project.scale(**dict.fromkeys(SCALED, 1))


@pytest.mark.timeout(300)
@pytest.mark.usefixtures("three_of_each")
def test_three_replicas_share_the_work_and_one_of_them_publishes(shop: Shop) -> None:
    assert {service: len(project.containers(service)) for service in SCALED} == dict.fromkeys(SCALED, 3)
    with customers() as crowd:
        crowd.coming()
        for service in SCALED:
            _another_publishes_when_the_first_is_killed(service)
        crowd.gone()
        crowd.coming()
        crowd.gone()
    for service in SCALED:
        handled = [_sample(replica, "inbox_messages_total{") for replica in project.containers(service)]
        assert all(handled), f"{service}: messages handled by replica: {handled}"
        assert sum(_leads(replica) for replica in project.containers(service)) == 1
    assert_books_balance(shop.target)


def _another_publishes_when_the_first_is_killed(service: str) -> None:
    replicas = project.containers(service)
    first = until(lambda: _leaders(replicas), f"no replica of {service} publishes")
    assert len(first) == 1
    first[0].kill()
    others = [replica for replica in replicas if replica != first[0]]
    assert len(until(lambda: _leaders(others), f"nobody publishes for {service} any more")) == 1
    first[0].start()
    first[0].wait_healthy()
    assert len(_leaders(replicas)) == 1


def _leaders(replicas: list[project.Container]) -> list[project.Container]:
    return [replica for replica in replicas if _leads(replica)]


def _leads(replica: project.Container) -> bool:
    return _sample(replica, "outbox_relay_leader") == 1


def _sample(replica: project.Container, name: str) -> float:
    """The sum of a metric's samples."""
    return float(replica.python(SAMPLES, name))
