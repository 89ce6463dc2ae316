"""Whether an object is one that a cluster of a version accepts: each field known, each of the right shape.

Built-in kinds by the schemas that kubernetes-validate brings, made from the API server's own description; custom ones
by what schemas/ keeps of their definitions. Compiled once: kubernetes-validate reads a megabyte again for each object.
"""

import functools
import json
from collections.abc import Iterator, Mapping
from importlib import resources
from pathlib import Path
from typing import Any

import jsonschema_rs

from tests.deploy.rendering import Object
from tests.deploy.vendor import METADATA, SCHEMAS

VERSIONS = ("1.34", "1.36")
BUILT_IN = Path(str(resources.files("kubernetes_validate"))) / "kubernetes-json-schema"
# The API groups that end so, or have no dot, are the cluster's own.
_OWN = (".k8s.io",)
_NOT_OWN = ("gateway.networking.k8s.io",)


class UnknownKind(Exception):
    """There is no schema for it: a kind that nobody serves, or one to be kept in schemas/ first."""


def errors(each: Object, version: str) -> Iterator[str]:
    """What this version of Kubernetes would say against it."""
    for error in validator(each["apiVersion"], each["kind"], version).iter_errors(each):
        yield f"{'.'.join(str(part) for part in error.instance_path)}: {error.message}"


@functools.cache
def validator(api_version: str, kind: str, version: str) -> Any:
    """Compiled for one kind."""
    group, _, _ = api_version.rpartition("/")
    definitions = _definitions(version)
    schema = _built_in(api_version, kind, version) if is_built_in(group) else _custom(api_version, kind, definitions)
    registry = jsonschema_rs.Registry([(definitions["$id"], definitions)])
    return jsonschema_rs.validator_for(schema, registry=registry)


def is_built_in(group: str) -> bool:
    """Whether a group of the API is Kubernetes' own."""
    return group not in _NOT_OWN and ("." not in group or group.endswith(_OWN))


def _built_in(api_version: str, kind: str, version: str) -> Object:
    group, _, number = api_version.rpartition("/")
    name = "-".join(part for part in (kind.lower(), group.split(".")[0], number) if part)
    return _read(_folder(version) / f"{name}.json")


def _custom(api_version: str, kind: str, definitions: Mapping[str, Any]) -> Object:
    group, _, number = api_version.rpartition("/")
    schema = _read(SCHEMAS / f"{kind}.{number}.{group}.json")
    of_any_object = f"{definitions['$id']}#/$defs/io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"
    schema["properties"][METADATA] = {"$ref": of_any_object}
    return schema


@functools.cache
def _definitions(version: str) -> Object:
    return _read(_folder(version) / "_definitions.json")


def _folder(version: str) -> Path:
    return BUILT_IN / f"v{version}.0-local-strict"


def _read(file: Path) -> Object:
    try:
        schema: Object = json.loads(file.read_text())
    except FileNotFoundError:
        raise UnknownKind(file.name) from None
    return schema
