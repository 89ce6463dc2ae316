"""What is pinned is moved by Renovate, each kind of it; and what is pinned twice is pinned alike."""

import json
import re
from collections.abc import Iterator
from typing import Any

import yaml

from tests.delivery.repository import SYSTEM, Repository
from tests.delivery.rule import rule

AGE = "minimumReleaseAgeBehaviour"
RENOVATE = ".github/renovate.json"
PREPARE = ".github/actions/prepare/action.yml"
DIGEST = re.compile(r"[a-z0-9][a-z0-9./-]*:[A-Za-z0-9._-]+@sha256:[0-9a-f]{64}")
# Of the files that name them otherwise than by a digest: what a pin looks like there.
OTHERS = {
    ".github/actions.csv": re.compile(r"(?m)^[\w-]+/[\w-]+,[0-9a-f]{40},v[\d.]+$"),
    PREPARE: re.compile(r'version: "\d+\.\d+\.\d+"'),
    SYSTEM: re.compile(r"version: v[\d.]+"),
    "deploy/local/setup.sh": re.compile(r"UV_VERSION=[\d.]+"),
    "Makefile": re.compile(r"[a-z0-9-]+==[\d.]+"),
    "tests/deploy/schemas/SOURCES.md": re.compile(r"\| [\w./-]+ \| v[\d.]+ \|"),
}
# Read by managers that know the file; of the rest the patterns have to match.
BUILT_IN = {"dockerfile": ("services/Dockerfile", "deploy/compose/Dockerfile"), "docker-compose": ("compose.yaml",)}


def configuration(repository: Repository) -> dict[str, Any]:
    return dict(json.loads(repository.files[RENOVATE]))


def reads(manager: dict[str, Any], path: str) -> bool:
    """Whether a manager looks at a file: `/…/` is a regular expression, the rest are names."""
    patterns = manager["managerFilePatterns"]
    return any(re.search(each[1:-1], path) if each.startswith("/") else each == path for each in patterns)


def found_by(repository: Repository, path: str) -> list[tuple[int, int]]:
    """The stretches of a file in which some manager of ours finds a pin."""
    managers = [each for each in configuration(repository)["customManagers"] if reads(each, path)]
    expressions = [text.replace("(?<", "(?P<") for manager in managers for text in manager["matchStrings"]]
    return [match.span() for each in expressions for match in re.finditer(each, repository.files[path])]


@rule
def each_pin_is_moved_by_the_bot(repository: Repository) -> Iterator[str]:
    known = configuration(repository)
    for path, text in repository.files.items():
        expressions = [DIGEST, *([OTHERS[path]] if path in OTHERS else [])]
        pins = [match for each in expressions for match in each.finditer(text)]
        if path in OTHERS and len(pins) == 0:
            yield f"{path}: where has its pin gone?"
        if any(
            path in files and path in known[manager]["managerFilePatterns"] and manager in known["enabledManagers"]
            for manager, files in BUILT_IN.items()
        ):
            continue
        spans = found_by(repository, path)
        for pin in pins:
            if not any(begin < pin.end() and pin.start() < end for begin, end in spans):
                yield f"{path}: {pin[0]}"


for _path in (".github/actions.csv", "deploy/local/setup.sh", "Makefile", "tests/deploy/schemas/SOURCES.md"):
    each_pin_is_moved_by_the_bot.broken_by_change(RENOVATE, f'"{_path}"', '"nowhere"')
each_pin_is_moved_by_the_bot.broken_by_change(RENOVATE, '"compose.yaml"', '"docker-compose.yaml"')
each_pin_is_moved_by_the_bot.broken_by_change(RENOVATE, "(yaml|py)", "(yaml)")
each_pin_is_moved_by_the_bot.broken_by_change(PREPARE, "# renovate: ", "# ")
each_pin_is_moved_by_the_bot.broken_by_change("Makefile", "checkov==", "checkov>=")


@rule
def actions_the_lock_and_the_dashboard_are_the_bots_too(repository: Repository) -> Iterator[str]:
    known = configuration(repository)
    if not {"github-actions", "pep621"} <= {*known["enabledManagers"]}:
        yield "actions or pyproject.toml"
    if not known["lockFileMaintenance"]["enabled"]:
        yield "uv.lock"
    if not {":dependencyDashboard", "docker:pinDigests", "helpers:pinGitHubActionDigests"} <= {*known["extends"]}:
        yield "dashboard or digests"


actions_the_lock_and_the_dashboard_are_the_bots_too.broken_by_change(RENOVATE, '"github-actions", "pep621"', '"pep621"')
actions_the_lock_and_the_dashboard_are_the_bots_too.broken_by_change(RENOVATE, '"enabled": true', '"enabled": false')


@rule
def nothing_merges_by_itself(repository: Repository) -> Iterator[str]:
    known = configuration(repository)
    rules = [known, known["lockFileMaintenance"], known["vulnerabilityAlerts"], *known["packageRules"]]
    yield from (str(each.get("description")) for each in rules if each.get("automerge"))
    if known.get("automerge") is not False:
        yield "it is not said"


nothing_merges_by_itself.broken_by_change(RENOVATE, '"automerge": false', '"automerge": true')
nothing_merges_by_itself.broken_by_change(
    RENOVATE, '"groupName": "actions"', '"groupName": "actions", "automerge": true'
)


@rule
def each_group_says_why(repository: Repository) -> Iterator[str]:
    for each in configuration(repository)["packageRules"]:
        if len(each.get("description", "")) < 20 or not each.keys() & {"groupName", "enabled", AGE}:
            yield str(each)


each_group_says_why.broken_by_change(RENOVATE, '"description": "Pages, metrics, traces and logs.",', "")


@rule
def no_image_waits_without_end(repository: Repository) -> Iterator[str]:
    """Of an image whose registry tells no day, no age is ever reached."""
    known = configuration(repository)
    asked = [each.get(AGE) for each in known["packageRules"] if each.get("matchDatasources") == ["docker"]]
    if "minimumReleaseAge" in known and "timestamp-optional" not in asked:
        yield f"docker: {asked}"


no_image_waits_without_end.broken_by_change(RENOVATE, "timestamp-optional", "timestamp-required")


@rule
def python_and_uv_are_the_same_everywhere(repository: Repository) -> Iterator[str]:
    steps = yaml.safe_load(repository.files[PREPARE])["runs"]["steps"]
    told = {key: value for step in steps for key, value in step["with"].items()}
    image = re.search(r"FROM python:(\d+\.\d+)-", repository.files["services/Dockerfile"])
    if image is None or told["python-version"] != image[1]:
        yield f"Python {told['python-version']}"
    if f"UV_VERSION={told['version']}\n" not in repository.files["deploy/local/setup.sh"]:
        yield f"uv {told['version']}"


python_and_uv_are_the_same_everywhere.broken_by_change(PREPARE, '"3.13"', '"3.12"')
python_and_uv_are_the_same_everywhere.broken_by_change("deploy/local/setup.sh", "UV_VERSION=", "UV_VERSION=1")
