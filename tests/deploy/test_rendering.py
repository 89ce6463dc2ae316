"""Every overlay, and every pair of the concerns that one can add, renders; what leads nowhere does not."""

import itertools
import shutil
from pathlib import Path

import pytest
import yaml

from tests.deploy.manifests import Manifests, title
from tests.deploy.rendering import OVERLAYS, RenderError, combination, components, kustomize
from tests.deploy.schemas import VERSIONS, errors

ALL = components()
PAIRS = [*itertools.combinations(ALL, 1), *itertools.combinations(ALL, 2), ALL]


def test_an_overlay_has_all_that_was_asked_for(manifests: Manifests) -> None:
    assert {"Deployment", "Service", "ConfigMap", "ServiceAccount", "NetworkPolicy", "Namespace"} <= {
        each["kind"] for each in manifests.objects
    }


@pytest.mark.parametrize("names", PAIRS, ids="+".join)
def test_concerns_can_be_combined(names: tuple[str, ...], deploy: Path) -> None:
    objects = combination(deploy, "services", names)
    assert len(objects) > 20
    assert [f"{title(each)} {error}" for each in objects for error in errors(each, VERSIONS[-1])] == []


def test_there_are_the_concerns_that_were_asked_for() -> None:
    asked = "hardened telemetry autoscaling disruption-budget network-policy spread postgres faults external-secrets"
    assert set(asked.split()) <= set(ALL)


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_a_file_that_is_not_there_is_an_error(overlay: str, deploy: Path, tmp_path: Path) -> None:
    copied = Path(shutil.copytree(deploy, tmp_path / "deploy"))
    file = copied / "overlays" / overlay / "kustomization.yaml"
    settings = yaml.safe_load(file.read_text())
    settings["resources"] = [*settings.get("resources", []), "nobody.yaml"]
    file.write_text(yaml.safe_dump(settings))
    with pytest.raises(RenderError, match="nobody"):
        kustomize(copied / "overlays" / overlay)
