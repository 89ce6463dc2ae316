"""What a workflow does can be done anywhere: it calls make, and .ci/run and pre-commit call the same."""

import re
import shlex
from collections.abc import Iterator

import yaml

from tests.delivery.repository import SERVICE, SYSTEM, WORKFLOWS, Repository
from tests.delivery.rule import rule

COMMAND = re.compile(r"make( [a-z][a-z-]*)( [A-Z][A-Z_]*=[\w./-]+)*")


def make_targets(makefile: str) -> set[str]:
    """Of the rules that a person may ask for."""
    heads = re.findall(r"(?m)^([a-z][a-z -]*):(?!=)", makefile)
    return {name for head in heads for name in head.split()}


def recipe(makefile: str, target: str) -> list[str]:
    """The lines of one target."""
    found = re.search(rf"(?m)^{target}:.*\n((?:\t.*\n)+)", makefile)
    return [line.strip() for line in found[1].splitlines()] if found else []


@rule
def each_command_is_one_make_target_that_exists(repository: Repository) -> Iterator[str]:
    targets = make_targets(repository.files["Makefile"])
    for job in repository.jobs():
        for command in job.commands:
            if not COMMAND.fullmatch(command):
                yield f"{job}: `{command}` is more than a make target"
            elif (name := command.split()[1]) not in targets:
                yield f"{job}: there is no target {name}"


each_command_is_one_make_target_that_exists.broken_by_change(SERVICE, "run: make push", "run: docker push it")
each_command_is_one_make_target_that_exists.broken_by_change(SERVICE, "run: make push", "run: make pusch")
each_command_is_one_make_target_that_exists.broken_by_change(SERVICE, "run: make push", "run: make push && true")
each_command_is_one_make_target_that_exists.broken_by_change(SERVICE, "make unit", "make unit SERVICE=${{ inputs.x }}")
each_command_is_one_make_target_that_exists.broken_by_change("Makefile", "\nunit: ", "\nunits: ")


@rule
def a_composite_action_runs_nothing_of_its_own(repository: Repository) -> Iterator[str]:
    for path, text in repository.files.items():
        if path.startswith(".github/actions/"):
            steps = yaml.safe_load(text)["runs"]["steps"]
            yield from (f"{path}: {step['run']}" for step in steps if "run" in step)


a_composite_action_runs_nothing_of_its_own.broken_by(
    lambda it: it.with_file(".github/actions/x/action.yml", "runs: {using: composite, steps: [{run: curl x | sh}]}")
)


@rule
def the_four_kinds_of_tests_are_jobs_of_their_own(repository: Repository) -> Iterator[str]:
    wanted = {
        "check": "make check",
        "unit": "make unit",
        "contract": "make contract",
        "integration": "make integration SERVERS=containers",
    }
    for name, command in wanted.items():
        job = repository.job(SERVICE, name)
        if job.commands != [command] or "needs" in job.body:
            yield f"{job}: {job.commands}, after {job.body.get('needs', 'nothing')}"


the_four_kinds_of_tests_are_jobs_of_their_own.broken_by_change(SERVICE, "  unit:\n", "  unit:\n    needs: check\n")
the_four_kinds_of_tests_are_jobs_of_their_own.broken_by_change(SERVICE, " SERVERS=containers", "")


@rule
def ci_run_does_what_the_system_workflow_does(repository: Repository) -> Iterator[str]:
    here = set(re.findall(r"(?m)^\s*step (make .+)$", repository.files[".ci/run"]))
    there = {command for name in ("repository", "compose") for command in repository.job(SYSTEM, name).commands}
    yield from (f"{command} is in one of .ci/run and system.yml only" for command in sorted(here ^ there))


ci_run_does_what_the_system_workflow_does.broken_by_change(".ci/run", "step make lint\n", "")
ci_run_does_what_the_system_workflow_does.broken_by_change(SYSTEM, "      - run: make test-images\n", "")
ci_run_does_what_the_system_workflow_does.broken_by_change(SYSTEM, "make test SERVERS=embedded", "make test")


@rule
def the_shop_is_run_in_its_three_ways(repository: Repository) -> Iterator[str]:
    wanted = {
        "bare-machine": ["make up", "make traffic", "make verify"],
        "compose": ["make system TARGET=compose"],
        "kind": ["make kind-up", "make kind-load", "make kind-smoke"],
    }
    for name, commands in wanted.items():
        job = repository.job(SYSTEM, name)
        places = [next((at for at, c in enumerate(job.commands) if c.startswith(each)), -1) for each in commands]
        if -1 in places or places != sorted(places):
            yield f"{job}: {job.commands}"
    if any("prepare" in str(step.get("uses")) for step in repository.job(SYSTEM, "bare-machine").steps):
        yield "the bare machine is prepared"


the_shop_is_run_in_its_three_ways.broken_by_change(SYSTEM, "      - run: make verify\n", "")
the_shop_is_run_in_its_three_ways.broken_by_change(SYSTEM, "make kind-up", "make kind-down")


@rule
def pre_commit_asks_what_make_check_asks(repository: Repository) -> Iterator[str]:
    hooks = yaml.safe_load(repository.files[".pre-commit-config.yaml"])["repos"]
    if {repo["repo"] for repo in hooks} != {"local"}:
        yield "a hook that is not local has a version of its own"
    entries = [hook["entry"] for repo in hooks for hook in repo["hooks"]]
    if "make check" not in entries:
        yield "make check is not run before a push"
    # Types and imports are a question to all files: of the whole alone.
    for line in recipe(repository.files["Makefile"], "check"):
        words = line.replace("$(RUN) -m", ".venv/bin/python -m").replace("--check", "").split()
        tool = [word for word in words if not word.startswith("$") and not word.startswith(".github/workflows/*")]
        if any(whole in line for whole in ("mypy", "lint-imports")):
            continue
        if not any(shlex.split(entry)[: len(tool)] == tool[: len(shlex.split(entry))] for entry in entries):
            yield f"{' '.join(tool)} is not asked before a commit"


pre_commit_asks_what_make_check_asks.broken_by_change(".pre-commit-config.yaml", "vendor.renovate", "vendor.travis")
pre_commit_asks_what_make_check_asks.broken_by_change(
    ".pre-commit-config.yaml", "entry: make check", "entry: make lint"
)
pre_commit_asks_what_make_check_asks.broken_by_change(".pre-commit-config.yaml", "-m ruff check", "-m ruff rule")


@rule
def what_is_measured_in_the_night_runs(repository: Repository) -> Iterator[str]:
    """`make measure` looks at the shop in containers, and starts none."""
    for job in repository.jobs():
        before = job.commands[: job.commands.index("make measure")] if "make measure" in job.commands else None
        if before is not None and "make compose-up" not in before:
            yield f"{job}: {job.commands}"


what_is_measured_in_the_night_runs.broken_by_change(f"{WORKFLOWS}nightly.yml", "      - run: make compose-up\n", "")


@rule
def results_of_the_night_are_kept(repository: Repository) -> Iterator[str]:
    for job in repository.jobs():
        if job.workflow == f"{WORKFLOWS}nightly.yml":
            kept = [step for step in job.steps if "upload-artifact" in str(step.get("uses"))]
            if not kept or any(step["with"]["retention-days"] < 30 or step["if"] != "always()" for step in kept):
                yield str(job)


results_of_the_night_are_kept.broken_by_change(f"{WORKFLOWS}nightly.yml", "retention-days: 90", "retention-days: 1")
