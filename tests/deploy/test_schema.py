"""Every object is one that Kubernetes 1.34 and 1.36 accept, to the last field."""

import copy
from collections.abc import Iterator
from typing import Any

import kubernetes_validate  # type: ignore[import-untyped]
import pytest

from tests.deploy.conftest import Render
from tests.deploy.manifests import Manifests, title
from tests.deploy.rendering import OVERLAYS, Object
from tests.deploy.schemas import VERSIONS, errors, is_built_in, validator
from tests.deploy.vendor import SCHEMAS


@pytest.mark.parametrize("version", VERSIONS)
def test_each_object_is_accepted(manifests: Manifests, version: str) -> None:
    assert [f"{title(each)} {error}" for each in manifests.objects for error in errors(each, version)] == []


def test_no_object_is_there_twice(manifests: Manifests) -> None:
    names = [(each["apiVersion"], title(each), each["metadata"].get("namespace")) for each in manifests.objects]
    assert len(set(names)) == len(names)


def test_what_we_compile_is_as_strict_as_kubernetes_validate(rendered: Render) -> None:
    """One of each built-in kind, whole and with a field that nobody knows."""
    kinds = {
        each["kind"]: each
        for each in rendered("production").objects
        if is_built_in(each["apiVersion"].rpartition("/")[0])
    }
    for each in kinds.values():
        kubernetes_validate.validate(each, "1.36", strict=True)
        with pytest.raises(kubernetes_validate.ValidationError):
            kubernetes_validate.validate({**each, "invented": True}, "1.36", strict=True)


def places(tree: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Each mapping in an object, by the way to it."""
    if isinstance(tree, dict):
        yield path
    for key, value in tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ():
        yield from places(value, (*path, key))


def with_an_invention(each: Object, path: tuple[str | int, ...]) -> Object:
    changed: Any = copy.deepcopy(each)
    place = changed
    for key in path:
        place = place[key]
    place["invented"] = {"of": ["nobody"]}
    return dict(changed)


# Where a schema lets anything in: the file formats of others, kept as they are, and fields that are JSON by design.
OPEN = {"ApplicationSet": "generators", "Cluster": "serviceTemplate", "Issuer": "webhook"}


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_a_field_that_nobody_knows_is_refused_wherever_it_is(overlay: str, rendered: Render) -> None:
    """In one object of each kind, at each depth. A mapping of free keys takes no mapping for a value."""
    kinds = {each["kind"]: each for each in rendered(overlay).objects}
    let_in = [
        f"{kind}: {'.'.join(map(str, path))}"
        for kind, each in kinds.items()
        for path in places(each)
        if OPEN.get(kind, "-") not in path
        if validator(each["apiVersion"], kind, VERSIONS[-1]).is_valid(with_an_invention(each, path))
    ]
    assert let_in == []


def test_no_schema_is_kept_that_nobody_needs(rendered: Render, gitops: Manifests) -> None:
    used = [each for overlay in OVERLAYS for each in rendered(overlay).objects] + gitops.objects
    assert {file.stem for file in SCHEMAS.glob("*.json")} - {file_of(each) for each in used} == set()


def file_of(each: Object) -> str:
    group, _, version = each["apiVersion"].rpartition("/")
    return f"{each['kind']}.{version}.{group}"


@pytest.mark.parametrize("version", VERSIONS)
def test_what_argo_cd_is_told_is_accepted(version: str, gitops: Manifests) -> None:
    assert [f"{title(each)} {error}" for each in gitops.objects for error in errors(each, version)] == []
