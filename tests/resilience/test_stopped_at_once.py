"""A container that is stopped while it is still starting does not make its owner wait for the grace period."""

import signal

import pytest

from deploy.compose import project
from tests.system.shop import until

SIGTERM = 1 << (signal.SIGTERM - 1)


@pytest.mark.parametrize("service", ["gateway", "orders"])
@pytest.mark.usefixtures("shop")
def test_a_stop_in_the_middle_of_a_start_is_heard(service: str) -> None:
    container = project.container(service)
    project.docker("stop", container.id)
    container.start()
    until(lambda: _caught(container) & SIGTERM, f"{service} has no ear for SIGTERM")
    project.docker("stop", container.id)
    code = container.inspect()["State"]["ExitCode"]
    container.start()
    container.wait_healthy()
    # 137 if nobody heard it; 0 if the service itself did, which is later than the middle.
    assert code == 143


def _caught(container: project.Container) -> int:
    """The signals that its first process handles, a bit each."""
    return int(project.docker("top", container.id, "-o", "pid,caught").split()[-1], 16)
