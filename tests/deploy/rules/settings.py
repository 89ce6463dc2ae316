"""What the programs are told is what they read, leads to where it says, and is what Compose tells them."""

from collections.abc import Iterator
from dataclasses import MISSING, fields

from deploy.local.programs import BY_NAME, DATABASES
from tests.compose.composition import services
from tests.compose.test_wiring import FROM_THE_IMAGE, settings_of
from tests.deploy.made import port_behind, ports_of
from tests.deploy.manifests import Container, Manifests, Pod
from tests.deploy.ours import end_of, is_outside, name_of, services_in, urls
from tests.deploy.quantities import number_of
from tests.deploy.rendering import Object
from tests.deploy.rules.rule import rule

# Not settings but where files of them lie.
_FOLDERS = {"SECRETS_DIR"}
# What the environments are free to say otherwise: how much is told to whom, how many, how long.
_OF_THE_ENVIRONMENT = {
    "OTLP_ENDPOINT", "TRACE_RATIO", "COMMIT", "PORT", "HOST", "STREAM_REPLICAS", "DATABASE_POOL", "OPERATOR_EMAIL",
    "LEGACY_CA", "LEGACY_CERTIFICATE", "LEGACY_KEY", "FAULTS", "DRAIN_SECONDS", "GRACE_SECONDS", "RATE_READ",
    "IDLE_SECONDS",
}  # fmt: skip


@rule("banyan")
def a_service_is_told_what_it_reads_and_nothing_else(manifests: Manifests) -> Iterator[str]:
    for each, given in services_in(manifests):
        known, required = _settings(name_of(each))
        yield from (f"{each}: nobody reads {name}" for name in given.keys() - known - _FOLDERS)
        files = {secret.upper() for secret in BY_NAME[name_of(each)].secret_names()}
        yield from (f"{each}: {name} is missing" for name in required - given.keys() - files - FROM_THE_IMAGE)
        yield from (f"{each}: {name} is to be a file" for name in files & given.keys())


def _settings(name: str) -> tuple[set[str], set[str]]:
    """All names, and those that must be given. The old shop has a class of its own, without pydantic."""
    cls = settings_of(name)
    if BY_NAME[name].chassis:
        known = cls.model_fields
        return {key.upper() for key in known}, {key.upper() for key, field in known.items() if field.is_required()}
    own = fields(cls)  # type: ignore[arg-type]
    return {field.name.upper() for field in own}, {field.name.upper() for field in own if field.default is MISSING}


def _settings_map(manifests: Manifests, name: str) -> Object:
    """Where a service has its settings, for those who break things."""
    container = next(each for each, _ in services_in(manifests) if name_of(each) == name)
    named = container.spec["envFrom"][0]["configMapRef"]["name"]
    data: Object = (manifests.find("ConfigMap", named) or {})["data"]
    return data


@a_service_is_told_what_it_reads_and_nothing_else.broken_by
def _(manifests: Manifests) -> None:
    data = _settings_map(manifests, "orders")
    data["CATALOGUE_URL"] = data.pop("CATALOG_URL")


@rule("banyan")
def an_address_in_the_settings_is_a_service_and_a_port_of_it(manifests: Manifests) -> Iterator[str]:
    for each, given in services_in(manifests):
        for name, value in urls(given):
            host, port = end_of(value)
            if not is_outside(manifests, host) and not port_behind(manifests, host, port):
                yield f"{each} {name}: {value}"


@an_address_in_the_settings_is_a_service_and_a_port_of_it.broken_by
def _(manifests: Manifests) -> None:
    _settings_map(manifests, "orders")["CATALOG_URL"] = "http://catalogue:8080"


@rule("banyan")
def compose_says_the_same(manifests: Manifests) -> Iterator[str]:
    """The same settings with the same values; the rest is named above. Production has the real card processor."""
    for each, given in services_in(manifests):
        composed = services()[name_of(each)]["environment"]
        free = _OF_THE_ENVIRONMENT | ({"PSP_URL"} if manifests.overlay == "production" else set())
        for name in (given.keys() | composed.keys()) - free:
            if given.get(name) != composed.get(name):
                yield f"{each} {name}: {given.get(name)}, in compose {composed.get(name)}"


@compose_says_the_same.broken_by
def _(manifests: Manifests) -> None:
    _settings_map(manifests, "orders")["NATS_USER"] = "payments"


@rule("banyan")
def compose_has_the_same_ports(manifests: Manifests) -> Iterator[str]:
    """Ours listen on 8080, bridge on the next one: it shares a pod with the old shop."""
    wanted = {
        "nats": 4222,
        "prometheus": 9090,
        **{f"{name}-db": 5432 for name in DATABASES},
        **dict.fromkeys(BY_NAME, 8080),
    }
    for pod in manifests.pods():
        if pod.name in wanted and wanted[pod.name] not in {*ports_of(pod).values(), *_behind_envoy(pod)}:
            yield f"{pod} has {dict(ports_of(pod))}"
    for each, given in services_in(manifests):
        port = int(given.get("PORT", "8080"))
        if name_of(each) != "legacy" and port not in [one["containerPort"] for one in each.spec.get("ports", ())]:
            yield f"{each} listens on {port}, and says otherwise"


def _behind_envoy(pod: Pod) -> set[int]:
    """The old shop listens within its pod only; the one way in is Envoy's, as in Compose."""
    return {8080} if 8443 in ports_of(pod).values() else set()


@compose_has_the_same_ports.broken_by
def _(manifests: Manifests) -> None:
    next(each for each, _ in services_in(manifests) if name_of(each) == "orders").spec["ports"] = [
        {"name": "http", "containerPort": 8000}
    ]


def composed_name(pod: Pod, container: Container) -> str:
    """What Compose calls the same thing."""
    return f"{pod.name}-{container.name}" if container.name == "envoy" else name_of(container) or pod.name


@rule("banyan", overlays=("local",))
def compose_has_the_same_limits(manifests: Manifests) -> Iterator[str]:
    """Of memory and processors; on a laptop, where both run. Elsewhere they follow what was measured."""
    for pod in manifests.pods():
        for each in pod.containers():
            composed = services().get(composed_name(pod, each))
            if each.runs_once or not composed:
                continue
            limits = each.spec.get("resources", {}).get("limits", {})
            memory = number_of(composed["mem_limit"].upper() + "i")
            if number_of(limits.get("memory", "0")) != memory or number_of(limits.get("cpu", "0")) != composed["cpus"]:
                yield f"{each}: {limits}, in compose {composed['mem_limit']}, {composed['cpus']}"


@compose_has_the_same_limits.broken_by
def _(manifests: Manifests) -> None:
    next(each for each, _ in services_in(manifests)).spec["resources"]["limits"]["memory"] = "1Gi"
