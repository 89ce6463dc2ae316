"""Every image that is not ours is named by its digest, in the same words wherever it is named, and never as latest."""

import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.local.place import ROOT
from tests.compose.composition import OWN, PINNED, services

FOLDERS = ("chassis", "deploy", "docs", "services", "tests", ".ci", ".github")
KINDS = {".py", ".yaml", ".yml", ".hcl", ".md", ".sh", ".json", ".toml", ""}
RECIPES = sorted(ROOT.glob("services/**/Dockerfile*")) + sorted(ROOT.glob("deploy/**/Dockerfile*"))


def texts() -> Iterator[tuple[Path, str]]:
    """All files that could name an image."""
    beside = (file for file in ROOT.iterdir() if file.is_file() and not file.name.startswith(".offline"))
    within = (file for folder in FOLDERS for file in (ROOT / folder).rglob("*"))
    for file in (*beside, *within):
        if file.is_file() and file.suffix in KINDS and ".venv" not in file.parts:
            yield file, file.read_text(errors="replace")


def external(recipe: Path) -> list[str]:
    """Images that a Dockerfile takes from elsewhere."""
    text = recipe.read_text()
    stages = set(re.findall(r"(?mi)^FROM\s.*\sAS\s+(\S+)", text))
    named = re.findall(r"(?mi)^FROM\s+(?:--platform=\S+\s+)?(\S+)", text) + re.findall(r"--from=(\S+)", text)
    return [name for name in named if name not in stages]


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda file: str(file.relative_to(ROOT)))
def test_a_recipe_builds_on_pinned_images_only(recipe: Path) -> None:
    found = external(recipe)
    assert len(found) >= 3
    assert [name for name in found if not PINNED.fullmatch(name)] == []


@pytest.mark.parametrize("name", sorted(services()))
def test_a_container_is_ours_by_its_commit_or_pinned(name: str) -> None:
    service = services()[name]
    image = service["image"]
    if image.startswith(OWN):
        assert image.endswith(":${COMMIT:-dev}")
        assert service["pull_policy"] == "never"
        assert service["build"]["args"]["COMMIT"] == "${COMMIT:-unknown}"
    else:
        assert PINNED.fullmatch(image)
        assert "build" not in service


def test_no_image_is_built_twice_at_once() -> None:
    """Two builds that export one name at the same time: engines with a containerd store fail one of them."""
    started = [service for service in services().values() if service.get("profiles") != ["command"]]
    built = [service["image"] for service in started if "build" in service]
    assert sorted(set(built)) == sorted(built)


def test_an_image_is_named_in_the_same_words_everywhere() -> None:
    named: dict[str, set[str]] = defaultdict(set)
    for _, text in texts():
        for match in PINNED.finditer(text):
            named[match["repository"]].add(match[0])
    assert {"postgres", "nats", "python", "ghcr.io/astral-sh/uv"} <= named.keys()
    assert {repository: words for repository, words in named.items() if len(words) > 1} == {}


def test_nothing_is_called_latest() -> None:
    mine = Path(__file__).name
    latest = re.compile(r"[\w/]:latest\b")
    assert [str(file) for file, text in texts() if latest.search(text) and file.name != mine] == []
