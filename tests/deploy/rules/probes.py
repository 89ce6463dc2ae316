"""How a pod says that it has started, is ready, is alive, and how it is let go."""

import functools
from collections.abc import Iterator

from tests.compose import test_wiring
from tests.deploy.manifests import Container, Manifests
from tests.deploy.ours import name_of
from tests.deploy.rendering import Object
from tests.deploy.rules.rule import rule

longest_drain = functools.cache(test_wiring.longest_drain)
PROBES = ("startupProbe", "readinessProbe", "livenessProbe")
# How long a probe of the node may fail until the endpoints of a Service have left every node's tables.
SPREAD_SECONDS = 5


@rule(
    "polaris: readinessProbeMissing", "polaris: livenessProbeMissing", "kube-score: pod-probes",
    "kubescape: C-0018", "kubescape: C-0056",
)  # fmt: skip
def each_server_has_all_three_probes(manifests: Manifests) -> Iterator[str]:
    for each in manifests.servers():
        yield from (f"{each} {probe}" for probe in PROBES if probe not in each.spec)


@each_server_has_all_three_probes.broken_by
def _(manifests: Manifests) -> None:
    del manifests.servers()[0].spec["readinessProbe"]


def asks(probe: Object) -> str:
    """What a probe does, without how often."""
    return str({key: probe[key] for key in ("httpGet", "exec", "tcpSocket", "grpc") if key in probe})


@rule("kube-score: pod-probes-identical")
def alive_and_ready_are_two_questions(manifests: Manifests) -> Iterator[str]:
    for each in manifests.servers():
        ready, alive = (each.spec.get(probe, {}) for probe in PROBES[1:])
        if asks(ready) == asks(alive):
            yield str(each)


@alive_and_ready_are_two_questions.broken_by
def _(manifests: Manifests) -> None:
    spec = manifests.servers()[0].spec
    spec["livenessProbe"] = spec["readinessProbe"]


@rule("banyan")
def services_of_the_chassis_have_three_different_paths(manifests: Manifests) -> Iterator[str]:
    for each in manifests.servers():
        if name_of(each) and name_of(each) != "legacy":
            paths = {each.spec.get(probe, {}).get("httpGet", {}).get("path") for probe in PROBES}
            if len(paths) != len(PROBES) or None in paths:
                yield f"{each} {paths}"


@services_of_the_chassis_have_three_different_paths.broken_by
def _(manifests: Manifests) -> None:
    spec = next(each for each in manifests.servers() if name_of(each) == "orders").spec
    spec["startupProbe"]["httpGet"]["path"] = spec["readinessProbe"]["httpGet"]["path"]


@rule("banyan")
def a_probe_names_no_host(manifests: Manifests) -> Iterator[str]:
    """The profile `restricted` forbids it: a node would ask whomever a pod names."""
    for each in manifests.containers():
        handlers = [each.spec.get(probe, {}) for probe in PROBES] + list(each.spec.get("lifecycle", {}).values())
        for handler in handlers:
            if any("host" in handler.get(kind, {}) for kind in ("httpGet", "tcpSocket")):
                yield str(each)


@a_probe_names_no_host.broken_by
def _(manifests: Manifests) -> None:
    manifests.servers()[0].spec["livenessProbe"] = {"tcpSocket": {"port": 1, "host": "example.org"}}


@rule("banyan")
def a_slow_start_is_no_reason_to_be_killed(manifests: Manifests) -> Iterator[str]:
    """And what hangs is restarted within two minutes."""
    for each in manifests.servers():
        start, alive = (each.spec.get(probe, {}) for probe in ("startupProbe", "livenessProbe"))
        if start.get("periodSeconds", 10) * start.get("failureThreshold", 3) < 60:
            yield f"{each} may start for less than a minute"
        if (
            alive.get("failureThreshold", 3) < 3
            or alive.get("periodSeconds", 10) * alive.get("failureThreshold", 3) > 120
        ):
            yield f"{each} is killed too soon or too late"


@a_slow_start_is_no_reason_to_be_killed.broken_by
def _(manifests: Manifests) -> None:
    manifests.servers()[0].spec["startupProbe"]["failureThreshold"] = 1


@rule("banyan")
def requests_are_no_longer_sent_when_a_service_begins_to_drain(manifests: Manifests) -> Iterator[str]:
    for pod in manifests.pods("Deployment"):
        for each in pod.containers():
            if not each.init and pause(each) < SPREAD_SECONDS:
                yield f"{each} waits {pause(each)} s"


def pause(container: Container) -> float:
    """Seconds between the end of its pod being decided and its being told."""
    sleep = container.spec.get("lifecycle", {}).get("preStop", {}).get("sleep", {})
    return float(sleep.get("seconds", 0))


@requests_are_no_longer_sent_when_a_service_begins_to_drain.broken_by
def _(manifests: Manifests) -> None:
    next(each for each in manifests.pods("Deployment")[0].containers() if not each.init).spec.pop("lifecycle")


@rule("banyan")
def there_is_time_for_the_pause_and_the_longest_drain(manifests: Manifests) -> Iterator[str]:
    """Main containers first, then the sidecars, all within one period of grace."""
    for pod in manifests.pods():
        grace = pod.spec.get("terminationGracePeriodSeconds", 30)
        ours = [each for each in pod.containers() if not each.runs_once and name_of(each) not in ("", "legacy")]
        mains = [pause(each) + longest_drain(name_of(each)) for each in ours if not each.init]
        sidecars = [pause(each) + longest_drain(name_of(each)) for each in ours if each.init]
        needed = max(mains, default=0) + max(sidecars, default=0)
        if grace < needed:
            yield f"{pod} needs {needed} s, has {grace} s"


@there_is_time_for_the_pause_and_the_longest_drain.broken_by
def _(manifests: Manifests) -> None:
    for pod in manifests.pods():
        pod.spec["terminationGracePeriodSeconds"] = 30


@rule("banyan")
def a_sidecar_of_ours_is_a_native_one(manifests: Manifests) -> Iterator[str]:
    """Started before and stopped after the one that needs it; a second main container has no order."""
    for pod in manifests.pods():
        mains = [each.name for each in pod.containers() if not each.init]
        if len(mains) != 1:
            yield f"{pod} has {mains}"
    sidecars = {(each.pod.name, each.name) for each in manifests.containers() if each.sidecar}
    if not {("legacy", "envoy"), ("legacy", "bridge")} <= sidecars:
        yield f"only {sorted(sidecars)}"


@a_sidecar_of_ours_is_a_native_one.broken_by
def _(manifests: Manifests) -> None:
    next(each for each in manifests.containers() if each.sidecar).spec.pop("restartPolicy")


@rule("banyan")
def a_database_is_migrated_before_its_service_starts(manifests: Manifests) -> Iterator[str]:
    """By the code of the same image, in the same pod: no order between objects has to be hoped for."""
    for pod in manifests.pods("Deployment"):
        (main,) = (each for each in pod.containers() if not each.init)
        if "DATABASE_URL" not in dict(manifests.environment(main)) or not name_of(main):
            continue
        wanted = ["-m", "legacy.install"] if pod.name == "legacy" else ["-m", "chassis.migrate", pod.name]
        runs = [each for each in pod.containers() if each.init and each.spec.get("args") == wanted]
        if not runs or runs[0].spec["image"] != main.spec["image"]:
            yield f"{pod} has no {wanted}"


@a_database_is_migrated_before_its_service_starts.broken_by
def _(manifests: Manifests) -> None:
    pod = next(pod for pod in manifests.pods() if pod.name == "orders")
    pod.spec["initContainers"] = []
