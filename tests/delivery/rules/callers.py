"""A service and the file that calls its pipeline: each has the other, and its filter knows all that it is made of."""

import re
import tomllib
from collections.abc import Iterator
from fnmatch import fnmatchcase
from functools import cache

from tests.delivery.repository import SERVICE, WORKFLOWS, Repository, triggers
from tests.delivery.rule import rule

ORDERS = f"{WORKFLOWS}orders.yml"


@cache
def members(lock: str) -> dict[str, tuple[str, set[str]]]:
    """Of each package of the workspace, by the lock: its folder, and which others it needs."""
    packages = tomllib.loads(lock)["package"]
    local = {each["name"]: each["source"]["editable"] for each in packages if "editable" in each["source"]}
    needed = {each["name"]: {name["name"] for name in each.get("dependencies", [])} for each in packages}
    return {name: (folder, needed[name] & local.keys()) for name, folder in local.items()}


def made_of(repository: Repository, service: str) -> set[str]:
    """What the recipe copies into the image of a service; of the workspace only what the lock says that it needs."""
    workspace = members(repository.files["uv.lock"])
    wanted = {f"banyan-{service}"}
    while more := {other for name in wanted for other in workspace[name][1]} - wanted:
        wanted |= more
    foreign = [folder for name, (folder, _) in workspace.items() if name not in wanted]
    copies = re.findall(r"(?m)^COPY (?!--from)(.+) \S+$", repository.files["services/Dockerfile"])
    copied = {name.replace("${SERVICE}", service) for line in copies for name in line.split()}
    return {name for name in copied if not any(f"{name}/".startswith(f"{folder}/") for folder in foreign)}


def covers(patterns: list[str], path: str) -> bool:
    """Whether a filter lets a path through: the file of this name, or a file in the folder of this name."""
    return any(fnmatchcase(each, pattern) for each in (path, f"{path}/any") for pattern in patterns)


@rule
def each_service_has_a_caller_and_each_caller_a_service(repository: Repository) -> Iterator[str]:
    for name in {*repository.services} ^ {*repository.callers}:
        yield f"{name} is a service or a caller, and not both"
    for name, workflow in repository.callers.items():
        calls = [job for job in workflow["jobs"].values() if "uses" in job]
        if [job["with"] for job in calls] != [{"service": name}] or len(workflow["jobs"]) != 1:
            yield f"{name}.yml does not call the pipeline once, for {name}"
        if workflow["name"] != name:
            yield f"{name}.yml calls itself {workflow['name']}"


each_service_has_a_caller_and_each_caller_a_service.broken_by(lambda it: it.without(ORDERS))
each_service_has_a_caller_and_each_caller_a_service.broken_by(lambda it: it.without("services/orders/pyproject.toml"))
each_service_has_a_caller_and_each_caller_a_service.broken_by_change(ORDERS, "service: orders", "service: catalog")


@rule
def a_filter_covers_all_that_the_image_is_made_of(repository: Repository) -> Iterator[str]:
    recipe = ("services/Dockerfile", "docker-bake.hcl", ".dockerignore")
    for name, workflow in repository.callers.items():
        pipeline = (SERVICE, f"{WORKFLOWS}{name}.yml", ".github/actions/prepare/action.yml", ".github/trivy/gate.yaml")
        for event in ("push", "pull_request"):
            patterns = triggers(workflow)[event]["paths"]
            for path in sorted({*made_of(repository, name), *recipe, *pipeline}):
                if not covers(patterns, path):
                    yield f"{name}.yml, {event}: {path}"


for _line in (
    "services/orders/**",
    "chassis/**",
    "uv.lock",
    "pyproject.toml",
    "services/Dockerfile",
    "docker-bake.hcl",
):
    a_filter_covers_all_that_the_image_is_made_of.broken_by_change(ORDERS, f"      - {_line}\n", "")
a_filter_covers_all_that_the_image_is_made_of.broken_by_change(
    "services/Dockerfile", "COPY chassis/src chassis/src", "COPY chassis/src chassis/src\nCOPY docs/words.csv words.csv"
)
a_filter_covers_all_that_the_image_is_made_of.broken_by_change(
    "uv.lock", '{ name = "flask" },', '{ name = "flask" },\n    { name = "banyan-chassis" },'
)


@rule
def a_filter_lets_nothing_of_another_service_through(repository: Repository) -> Iterator[str]:
    for name, workflow in repository.callers.items():
        for other in {*repository.services} - {name}:
            for event in ("push", "pull_request"):
                if covers(triggers(workflow)[event]["paths"], f"services/{other}/src"):
                    yield f"{name}.yml, {event}: a change of {other}"
    if covers(triggers(repository.callers["legacy"])["push"]["paths"], "chassis/src"):
        yield "legacy.yml: the old shop knows no chassis"


a_filter_lets_nothing_of_another_service_through.broken_by_change(ORDERS, "services/orders/**", "services/**")
a_filter_lets_nothing_of_another_service_through.broken_by_change(
    f"{WORKFLOWS}legacy.yml", "services/legacy/**", "services/legacy/**\n      - chassis/**"
)


@rule
def what_is_merged_runs_when_it_is_on_main(repository: Repository) -> Iterator[str]:
    for name, workflow in repository.callers.items():
        if triggers(workflow)["push"].get("branches") != ["main"]:
            yield f"{name}.yml"
        if "workflow_dispatch" not in triggers(workflow):
            yield f"{name}.yml: what has failed cannot be asked for again"


what_is_merged_runs_when_it_is_on_main.broken_by_change(ORDERS, "branches: [main]", "branches: [next]")
what_is_merged_runs_when_it_is_on_main.broken_by_change(ORDERS, "  workflow_dispatch:\n", "")


@rule
def the_scans_of_promoted_images_know_every_service_and_environment(repository: Repository) -> Iterator[str]:
    matrix = repository.job(f"{WORKFLOWS}promoted.yml", "scan").body["strategy"]["matrix"]
    if sorted(matrix["service"]) != repository.services:
        yield f"services: {matrix['service']}"
    lines = {path.split("/")[2] for path in repository.files if path.endswith("/kustomization.yaml")}
    overlays = {name for name in lines if f"deploy/overlays/{name}/kustomization.yaml" in repository.files} - {"local"}
    if {*matrix["environment"]} != overlays:
        yield f"environments: {matrix['environment']}, overlays: {sorted(overlays)}"


the_scans_of_promoted_images_know_every_service_and_environment.broken_by_change(
    f"{WORKFLOWS}promoted.yml", "orders, ", ""
)
the_scans_of_promoted_images_know_every_service_and_environment.broken_by_change(
    f"{WORKFLOWS}promoted.yml", "[staging, production]", "[staging]"
)
