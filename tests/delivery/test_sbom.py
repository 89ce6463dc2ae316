"""`make sbom`: what stands in the document is what the lock says that a service needs, all of it and nothing else."""

import functools
import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from deploy.delivery import lock, sbom
from deploy.delivery.asking import Answer, Failed, ask
from deploy.local.place import ROOT
from deploy.local.programs import BY_NAME
from tests.delivery.told import Told, recorded

HASH = re.compile(r"[0-9a-f]{64}")


@functools.cache
def locked() -> dict[str, dict[str, Any]]:
    """The packages of the lock by name, read without uv."""
    packages = tomllib.loads((ROOT / "uv.lock").read_text())["package"]
    assert len(packages) == len({package["name"] for package in packages}), "of one package there are two versions"
    return {package["name"]: package for package in packages}


def needed(wanted: list[dict[str, Any]]) -> set[tuple[str, str]]:
    """What these dependencies bring with all that they need, by name and version."""
    seen: set[tuple[str, str]] = set()
    left = [(one["name"], extra) for one in wanted for extra in ("", *one.get("extra", ()))]
    while left:
        if (pair := left.pop()) in seen:
            continue
        seen.add(pair)
        package, extra = locked()[pair[0]], pair[1]
        further = package.get("optional-dependencies", {}).get(extra, []) if extra else package.get("dependencies", [])
        inside = [one for one in further if lock.held(one.get("marker", "python_version >= '3'"))]
        left += [(one["name"], part) for one in inside for part in ("", *one.get("extra", ()))]
    return {(name, locked()[name]["version"]) for name, _ in seen}


def of_the_lock(name: str) -> set[tuple[str, str]]:
    if name == lock.TOOLS:
        return needed(locked()["banyan"]["dev-dependencies"][lock.TOOLS])
    return needed(locked()[f"banyan-{name}"]["dependencies"])


@pytest.fixture(scope="module", params=lock.IMAGES)
def made(request: pytest.FixtureRequest) -> tuple[str, dict[str, Any]]:
    """The name of an image, and its document."""
    return request.param, sbom.make(request.param, "0123456789ab", ask)


def test_it_lists_what_the_lock_says_and_nothing_else(made: tuple[str, dict[str, Any]]) -> None:
    name, document = made
    listed = [(part["name"], part["version"]) for part in document["components"]]
    assert len(listed) == len(set(listed))
    assert set(listed) == of_the_lock(name)


def test_it_says_what_it_describes_and_of_which_commit(made: tuple[str, dict[str, Any]]) -> None:
    name, document = made
    assert (document["bomFormat"], document["specVersion"]) == ("CycloneDX", "1.5")
    described = document["metadata"]["component"]
    assert (described["type"], described["name"]) == ("application", f"banyan-{name}")
    assert {"name": "banyan:commit", "value": "0123456789ab"} in described["properties"]


def test_each_package_has_an_address_and_hashes_and_all_references_lead_somewhere(
    made: tuple[str, dict[str, Any]],
) -> None:
    _, document = made
    for part in document["components"]:
        if part["name"] == "banyan-chassis":
            continue
        assert part["purl"] == f"pkg:pypi/{part['name']}@{part['version']}"
        hashes = [one["content"] for file in part["externalReferences"] for one in file["hashes"]]
        assert hashes
        assert all(map(HASH.fullmatch, hashes))
    known = {part["bom-ref"] for part in (*document["components"], document["metadata"]["component"])}
    for edge in document["dependencies"]:
        assert {edge["ref"], *edge.get("dependsOn", ())} <= known


def test_what_only_other_machines_need_is_not_in_it() -> None:
    everything = json.loads(lock.export("legacy", "cyclonedx1.5", ask))
    names, ours = ({part["name"] for part in one["components"]} for one in (everything, sbom.make("legacy", "", ask)))
    assert names - ours == {"tzdata"}, "psycopg needs the time zones of Windows"


def test_there_is_one_for_everything_that_is_delivered() -> None:
    assert set(lock.IMAGES) == {*BY_NAME, "tools"}


def test_of_what_is_not_delivered_there_is_none() -> None:
    with pytest.raises(Failed, match="there is no warehouse; there are bridge, catalog"):
        sbom.make("warehouse", "", ask)


def test_without_uv_one_line_says_what_brings_it() -> None:
    with pytest.raises(Failed, match="uv is not here: make setup brings it"):
        sbom.make("orders", "", Told({}))


def test_an_image_that_leads_to_no_commit_has_no_lock() -> None:
    with pytest.raises(Failed, match="leads to no commit of this repository"):
        sbom.of_image("banyan/catalog:x", Told({"docker image inspect": recorded("engine")}, "0123456789ab"))


def test_of_an_image_of_a_changed_checkout_nobody_knows_the_lock() -> None:
    head = ask(("git", "-C", str(ROOT), "rev-parse", "--short=12", "HEAD")).out.strip()
    with pytest.raises(Failed, match="never committed"):
        sbom.of_image("banyan/catalog:x", Told({"docker image inspect": recorded("engine")}, f"{head}-dirty"))


def test_what_is_written_is_what_was_made(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    component = {"name": "banyan-psp", "properties": [{"name": "banyan:commit", "value": "0123456789ab"}]}
    document = {
        "metadata": {"component": component},
        "components": [{"name": "a", "purl": "pkg:pypi/a@1"}, {"name": "ours"}],
    }
    told = Told({"git": Answer(0, "")})
    assert not sbom.revision(told).endswith("-dirty")
    sbom.write(document, tmp_path / "sbom" / "psp.cdx.json")
    assert json.loads((tmp_path / "sbom" / "psp.cdx.json").read_text()) == document
    assert capsys.readouterr().out.startswith("banyan-psp         0123456789ab  1 packages, 1 of ours: ")
