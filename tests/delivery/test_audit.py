"""`make audit`: what was not looked up is never taken for clean."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from deploy.delivery import audit
from deploy.delivery.asking import Answer, ask
from deploy.local.place import ROOT
from tests.delivery.told import recorded

PACKAGES: audit.Packages = {("aiohappyeyeballs", "2.7.1"): ["orders"], ("aiohttp", "3.14.5"): ["gateway", "orders"]}
CLEAN = {"name": "aiohappyeyeballs", "version": "2.7.1", "vulns": []}
HURT = {
    "name": "aiohttp",
    "version": "3.14.5",
    "vulns": [{"id": "PYSEC-2026-1", "fix_versions": ["3.14.6"], "aliases": ["CVE-2026-1"], "description": "long"}],
}


def told(*dependencies: object) -> Answer:
    return Answer(1, json.dumps({"dependencies": dependencies, "fixes": []}))


def test_all_looked_up_and_nothing_known_is_clean() -> None:
    found = audit.read(told(CLEAN, {**HURT, "vulns": []}), PACKAGES)
    assert (found.code, found.asked, found.obstacle) == (0, 2, None)


def test_what_is_known_is_told_with_the_version_that_mends_it_and_the_images_that_hold_it() -> None:
    found = audit.read(told(CLEAN, HURT), PACKAGES)
    assert found.code == audit.FOUND
    assert found.known == ("aiohttp 3.14.5: PYSEC-2026-1, mended by 3.14.6; in gateway, orders",)


def test_what_pip_audit_passes_over_with_success_is_not_audited() -> None:
    found = audit.read(recorded("pip-audit-unreachable"), PACKAGES)
    assert (found.code, found.asked) == (audit.NOT_AUDITED, 0)
    assert str(found.obstacle).startswith("2 of 2 packages; Dependency not found on PyPI")


@pytest.mark.parametrize("out", ["", "{}", "null", '{"dependencies": 1'])
def test_an_answer_that_is_none_is_not_audited(out: str) -> None:
    found = audit.read(Answer(1, out, "Traceback …\nConnectionError: no such host\n"), PACKAGES)
    assert (found.code, found.obstacle) == (audit.NOT_AUDITED, "ConnectionError: no such host")


def test_a_package_that_is_not_mentioned_is_not_audited() -> None:
    found = audit.read(told(CLEAN), PACKAGES)
    assert (found.code, found.obstacle) == (audit.NOT_AUDITED, "1 of 2 packages; pip-audit did not mention them")


def test_what_is_known_weighs_more_than_what_could_not_be_looked_up() -> None:
    assert audit.read(told(HURT), PACKAGES).code == audit.FOUND


def test_a_run_on_the_pipeline_says_on_its_first_page_that_it_did_not_look(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    assert audit.show(audit.Audit(obstacle="no such host")) == audit.NOT_AUDITED
    heard = capsys.readouterr()
    assert heard.err == "not audited: no such host\n"
    assert heard.out == "::warning title=not audited::no such host\n"


def test_every_package_that_is_bought_in_is_asked_about_once_and_pinned() -> None:
    lists: list[list[str]] = []

    def asked(command: Sequence[str]) -> Answer:
        if "export" in command:
            return ask(command)
        lists.append(Path(command[-1]).read_text().split())
        return Answer(0, json.dumps({"dependencies": []}))

    audit.audit(("legacy", "orders"), asked)
    (packages,) = lists
    assert len(packages) == len(set(packages)) > 58
    assert all("==" in package for package in packages)
    assert not [package for package in packages if package.startswith("banyan")]
    lock = (ROOT / "uv.lock").read_text()
    for package in packages:
        name, version = package.split("==")
        assert f'name = "{name}"\nversion = "{version}"' in lock
