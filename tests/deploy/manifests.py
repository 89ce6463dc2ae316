"""The objects of one overlay, and the pods and containers in them whatever kind of object they are in."""

import copy
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tests.deploy.rendering import Object

_HASH = re.compile(r"-[2456789bcdfghkmt]{10}$")
_PATHS = {
    "Deployment": ("spec", "template"),
    "StatefulSet": ("spec", "template"),
    "DaemonSet": ("spec", "template"),
    "Job": ("spec", "template"),
    "CronJob": ("spec", "jobTemplate", "spec", "template"),
}


@dataclass(frozen=True)
class Container:
    """One container of a pod. A sidecar is an init container that goes on running."""

    pod: "Pod"
    spec: Object
    init: bool

    @property
    def name(self) -> str:
        return str(self.spec["name"])

    @property
    def sidecar(self) -> bool:
        return self.init and self.spec.get("restartPolicy") == "Always"

    @property
    def runs_once(self) -> bool:
        return (self.init and not self.sidecar) or self.pod.runs_once

    def context(self, key: str) -> Any:
        """Of the security context, the container's own before the pod's."""
        own = self.spec.get("securityContext", {})
        return own.get(key, self.pod.spec.get("securityContext", {}).get(key))

    def __str__(self) -> str:
        return f"{self.pod}/{self.name}"


@dataclass(frozen=True)
class Pod:
    """The pods that one workload makes."""

    workload: Object
    template: Object

    @property
    def name(self) -> str:
        return str(self.workload["metadata"]["name"])

    @property
    def kind(self) -> str:
        return str(self.workload["kind"])

    @property
    def runs_once(self) -> bool:
        return self.kind in ("Job", "CronJob")

    @property
    def labels(self) -> Mapping[str, str]:
        return dict(self.template.get("metadata", {}).get("labels", {}))

    @property
    def spec(self) -> Object:
        spec: Object = self.template["spec"]
        return spec

    def containers(self) -> Iterator[Container]:
        """All of them, those first that start first."""
        for init, key in ((True, "initContainers"), (False, "containers")):
            for spec in self.spec.get(key, ()):
                yield Container(self, spec, init)

    def __str__(self) -> str:
        return f"{self.kind}/{self.name}"


@dataclass(frozen=True)
class Manifests:
    """What an overlay becomes."""

    overlay: str
    objects: list[Object]

    def copy(self) -> "Manifests":
        """One to break."""
        return Manifests(self.overlay, copy.deepcopy(self.objects))

    def of(self, *kinds: str) -> list[Object]:
        return [each for each in self.objects if each["kind"] in kinds]

    def find(self, kind: str, name: str) -> Object | None:
        return next((each for each in self.of(kind) if each["metadata"]["name"] == name), None)

    def names(self, *kinds: str) -> set[str]:
        return {each["metadata"]["name"] for each in self.of(*kinds)}

    def pods(self, *kinds: str) -> list[Pod]:
        """Of these kinds of workload, or of all."""
        return [Pod(each, _within(each, _PATHS[each["kind"]])) for each in self.of(*(kinds or _PATHS))]

    def containers(self) -> list[Container]:
        return [container for pod in self.pods() for container in pod.containers()]

    def servers(self) -> list[Container]:
        """Those that are meant to run until they are told to stop."""
        return [container for container in self.containers() if not container.runs_once]

    def environment(self, container: Container) -> list[tuple[str, str]]:
        """The settings that a container is given, in order, those of its ConfigMaps first; a reference is empty."""
        given: list[tuple[str, str]] = []
        for source in container.spec.get("envFrom", ()):
            found = self.find("ConfigMap", source.get("configMapRef", {}).get("name", ""))
            given += (found or {}).get("data", {}).items()
        return given + [(each["name"], each.get("value", "")) for each in container.spec.get("env", ())]


def _within(tree: Object, path: Sequence[str]) -> Object:
    for key in path:
        tree = tree[key]
    return tree


def plain(name: str) -> str:
    """A name without the hash of the contents that kustomize adds, so that a change of them is a new object."""
    return _HASH.sub("", name)


def title(each: Object) -> str:
    """`Deployment/orders`, for messages."""
    return f"{each['kind']}/{each['metadata']['name']}"


def selects(selector: Mapping[str, Any] | None, labels: Mapping[str, str]) -> bool:
    """Whether a label selector matches; an empty one matches all, none matches nothing."""
    if selector is None:
        return False
    if any(labels.get(key) != value for key, value in selector.get("matchLabels", {}).items()):
        return False
    return all(_expression(each, labels) for each in selector.get("matchExpressions", ()))


def _expression(expression: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    value, values = labels.get(expression["key"]), expression.get("values", ())
    return {
        "In": value in values,
        "NotIn": value not in values,
        "Exists": value is not None,
        "DoesNotExist": value is None,
    }[expression["operator"]]
