"""Our own programs among the containers: which they are, what they are told, and where that leads."""

from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit

from deploy.local.programs import BY_NAME
from tests.compose.composition import OWN
from tests.deploy.made import addresses
from tests.deploy.manifests import Container, Manifests

REGISTRY = "ghcr.io/banyan-shop/"
_PORTS = {"http": 80, "https": 443, "postgresql": 5432, "nats": 4222}


def image_of(container: Container) -> str:
    """`banyan/orders`, from whatever registry; empty if it is not one of ours."""
    repository = str(container.spec["image"]).split("@")[0].rsplit(":", 1)[0]
    if repository.startswith(REGISTRY):
        return OWN + repository.removeprefix(REGISTRY).removeprefix(OWN)
    return repository if repository.startswith(OWN) else ""


def name_of(container: Container) -> str:
    """The service of ours that runs in it; empty if it is not ours."""
    return image_of(container).rpartition("/")[2]


def services_in(manifests: Manifests) -> Iterator[tuple[Container, Mapping[str, str]]]:
    """Our servers with what they are told."""
    for each in manifests.servers():
        if name_of(each) in BY_NAME:
            yield each, dict(manifests.environment(each))


def end_of(url: str) -> tuple[str, int]:
    """The host and the port that an address leads to."""
    parts = urlsplit(url)
    return parts.hostname or "", parts.port or _PORTS.get(parts.scheme, 0)


def is_outside(manifests: Manifests, host: str) -> bool:
    """Whether a host is of another namespace, or of no cluster. A name without a dot is a Service of the same one."""
    return "." in host and host not in addresses(manifests)


def urls(given: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """The settings that are addresses."""
    yield from ((name, value) for name, value in given.items() if "://" in value)
