"""Two replicas of all that can have them, restarted one after the other under a steady load: nobody notices."""

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pytest

from deploy.compose import project
from deploy.local.place import Place
from deploy.local.ports_check import free_ports
from tests.resilience.steady import SteadyLoad, steady_load
from tests.system.shop import Shop


@dataclass(frozen=True)
class Restarted:
    """Both replicas of a service, from the first SIGTERM to the health of the second."""

    service: str
    begin: float
    end: float


@pytest.fixture
def two_of_each(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Each gateway needs a port of its own on the host, so it is started anew with a range of them."""
    first = free_ports().gateway
    with monkeypatch.context() as patch:
        patch.setenv("PORT", f"{first}-{first + 1}")
        project.compose("up", "--detach", "--wait", "--no-build", "--no-deps", "--scale=gateway=2", "gateway")
    project.scale(**{name: 2 for name in project.REPLICATED if name != "gateway"})
    yield
    project.compose("up", "--detach", "--wait", "--no-build", "--no-deps", "--scale=gateway=1", "gateway")
    project.scale(**{name: 1 for name in project.REPLICATED if name != "gateway"})


@pytest.mark.timeout(400)
@pytest.mark.usefixtures("two_of_each")
def test_a_rolling_restart_of_each_service_fails_no_request(capsys: pytest.CaptureFixture[str]) -> None:
    with steady_load() as load:
        restarted = [_restart(service) for service in project.REPLICATED]
        load.end()
    with capsys.disabled():
        print(_table(load, restarted))
    _keep(load, restarted)
    assert load.found["failed"] == 0, load.found["why"]
    assert load.found["sent"] >= 0.9 * load.found["seconds"] * load.found["rate"]


def _restart(service: str) -> Restarted:
    begin = time.time()
    for replica in project.containers(service):
        replica.restart()
        replica.wait_healthy()
    return Restarted(service, begin, time.time())


def _table(load: SteadyLoad, restarted: Sequence[Restarted]) -> str:
    lines = ["", f"{'restarted, two replicas':<26}{'seconds':>9}{'requests':>10}{'failed':>8}"]
    for one in restarted:
        sent, failed = load.between(one.begin, one.end)
        lines.append(f"{one.service:<26}{one.end - one.begin:>9.1f}{sent:>10}{failed:>8}")
    times = load.found["latency"]["all"]
    lines.append(f"{'all':<26}{load.found['seconds']:>9.1f}{load.found['sent']:>10}{load.found['failed']:>8}")
    lines.append(f"latency: p50 {1000 * times['p50']:.0f} ms, p99 {1000 * times['p99']:.0f} ms; {load.found['why']}")
    return "\n".join(lines)


def _keep(load: SteadyLoad, restarted: Sequence[Restarted]) -> None:
    folder = Place.current().logs
    folder.mkdir(parents=True, exist_ok=True)
    services = [(one.service, one.end - one.begin, *load.between(one.begin, one.end)) for one in restarted]
    (folder / "rolling.json").write_text(json.dumps({**load.found, "services": services}, indent=1))
