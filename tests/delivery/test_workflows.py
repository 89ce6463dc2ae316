"""The workflows cannot run here; what they are held to can. Each rule is kept, and each notices when it is not."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.local.place import ROOT
from tests.delivery.repository import SERVICE, WORKFLOWS, here
from tests.delivery.rule import RULES, Breakage, Rule
from tests.delivery.rules import callers, pins, publishing, rights, targets

SUBJECTS = (callers, pins, publishing, rights, targets)
BIN = Path(sys.executable).parent
COMMANDS = sorted({command for job in here().jobs() for command in job.commands})


def breakages() -> list[object]:
    return [
        pytest.param(rule, breakage, id=f"{rule.name}-{number}")
        for rule in RULES
        for number, breakage in enumerate(rule.breakages)
    ]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_the_repository_keeps_the_rule(rule: Rule) -> None:
    assert list(rule.check(here())) == []


@pytest.mark.parametrize(("rule", "breakage"), breakages())
def test_the_rule_notices_when_it_is_broken(rule: Rule, breakage: Breakage) -> None:
    assert list(rule.check(breakage(here()))) != []


def test_each_rule_can_be_broken() -> None:
    assert [rule.name for rule in RULES if not rule.breakages] == []
    assert all(any(rule.check.__module__ == each.__name__ for rule in RULES) for each in SUBJECTS)


def run(*command: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def schema(name: str, *files: str) -> "subprocess.CompletedProcess[str]":
    return run(str(BIN / "check-jsonschema"), "--builtin-schema", f"vendor.{name}", *files)


def test_each_workflow_is_one_by_githubs_schema() -> None:
    assert len(here().workflows) >= 15
    done = schema("github-workflows", *here().workflows)
    assert done.returncode == 0, done.stdout


def test_each_action_is_one_by_githubs_schema() -> None:
    done = schema("github-actions", *(path for path in here().files if path.startswith(".github/actions/")))
    assert done.returncode == 0, done.stdout


def test_renovates_configuration_is_one() -> None:
    done = schema("renovate", pins.RENOVATE)
    assert done.returncode == 0, done.stdout


def test_the_schema_notices_what_is_none(tmp_path: Path) -> None:
    broken = tmp_path / "broken.yml"
    broken.write_text(here().files[SERVICE].replace("runs-on:", "runs_on:"))
    assert schema("github-workflows", str(broken)).returncode == 1


def test_zizmor_finds_nothing() -> None:
    done = run(str(BIN / "zizmor"), "--offline", "--no-progress", "--strict-collection", ".github")
    assert done.returncode == 0, done.stdout
    assert not [path for path in here().files if "zizmor" in path], "a waiver needs its reason"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("uses: $/.github/actions/prepare", "uses: ./.github/actions/prepare"),
        ("run: make unit", "run: make unit TITLE=${{ github.event.pull_request.title }}"),
        ("@3d3c42e5aac5ba805825da76410c181273ba90b1", "@v7"),
    ],
)
def test_zizmor_notices_what_is_wrong(tmp_path: Path, old: str, new: str) -> None:
    folder = tmp_path / WORKFLOWS
    folder.mkdir(parents=True)
    (folder / "service.yml").write_text(here().changed(SERVICE, old, new).files[SERVICE])
    assert run(str(BIN / "zizmor"), "--offline", "--no-progress", str(tmp_path)).returncode != 0


@pytest.mark.parametrize("command", COMMANDS)
def test_make_knows_what_each_command_would_do(command: str) -> None:
    environment = {**os.environ, "SERVICE": "orders", "ENV": "staging", "SHA": "0" * 12}
    done = subprocess.run(
        [*command.split(), "--dry-run"], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "python" in done.stdout
