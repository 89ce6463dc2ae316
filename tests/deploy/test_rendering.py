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
Subset = frozenset[str]


def decisions(chosen: Subset, together: int) -> set[frozenset[tuple[str, bool]]]:
    """What a choice decides about each so many concerns: which of them are in, and which are not."""
    return {frozenset((name, name in chosen) for name in names) for names in itertools.combinations(ALL, together)}


def combinations(together: int = 3) -> list[Subset]:
    """Few choices that make every decision about any three concerns: greedily, the most telling first.

    All 512 would take minutes, and what two concerns do to each other seldom depends on more than a third.
    """
    every = [frozenset(names) for size in range(len(ALL) + 1) for names in itertools.combinations(ALL, size)]
    open_ones = {choice: decisions(choice, together) for choice in every}
    chosen: list[Subset] = []
    while any(open_ones.values()):
        best = max(every, key=lambda choice: len(open_ones[choice]))
        made = open_ones[best].copy()
        for remaining in open_ones.values():
            remaining -= made
        chosen.append(best)
    return chosen


ONE_BY_ONE = [frozenset([name]) for name in ALL]
CHOICES = sorted({*combinations(), *ONE_BY_ONE, frozenset(ALL)}, key=sorted)


def test_an_overlay_has_all_that_was_asked_for(manifests: Manifests) -> None:
    assert {"Deployment", "Service", "ConfigMap", "ServiceAccount", "NetworkPolicy", "Namespace"} <= {
        each["kind"] for each in manifests.objects
    }


def test_every_decision_about_three_concerns_is_made() -> None:
    made = set().union(*(decisions(choice, 3) for choice in combinations()))
    assert len(made) == 8 * len(list(itertools.combinations(ALL, 3)))
    assert len(combinations()) < 25


@pytest.mark.parametrize("names", CHOICES, ids=lambda names: "+".join(sorted(names)) or "none")
def test_concerns_can_be_combined(names: Subset, deploy: Path) -> None:
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
