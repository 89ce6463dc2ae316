"""The shop fits on a laptop, and a new service into a few lines."""

from decimal import Decimal

from tests.deploy.conftest import Render
from tests.deploy.manifests import Manifests
from tests.deploy.quantities import number_of
from tests.deploy.sizes import distinct_share, hand_written, lines_for_a_service, of_a_pod, requested


def test_a_laptop_has_what_the_local_overlay_asks_for(rendered: Render) -> None:
    assert requested(rendered("local"), "cpu") <= 2
    assert requested(rendered("local"), "memory") <= number_of("4Gi")


def test_most_lines_say_something_new() -> None:
    assert len(hand_written()) > 20
    assert distinct_share() >= 0.6


def test_a_service_more_is_a_few_lines_more() -> None:
    assert lines_for_a_service() <= 30


def test_a_pod_asks_for_what_runs_together_or_for_its_largest_step() -> None:
    def container(cpu: str, **more: str) -> dict[str, object]:
        return {"name": "a", "resources": {"requests": {"cpu": cpu}}, **more}

    steps = [container("100m"), container("200m", restartPolicy="Always"), container("900m")]
    spec = {"initContainers": steps, "containers": [container("300m")]}
    workload = {"kind": "Deployment", "metadata": {"name": "a"}, "spec": {"template": {"spec": spec}}}
    (pod,) = Manifests("local", [workload]).pods()
    assert of_a_pod(pod, "cpu") == Decimal("1.1")
