"""The way of an image: tested, built, scanned on each platform, pushed, signed, and only then named by its commit."""

import re
from collections.abc import Iterator

import yaml

from tests.delivery.repository import SERVICE, WORKFLOWS, Job, Repository, only_on_main
from tests.delivery.rule import rule

PROMOTED = f"{WORKFLOWS}promoted.yml"
PROMOTE = f"{WORKFLOWS}promote.yml"
GATE = ".github/trivy/gate.yaml"
FULL = ".github/trivy/full.yaml"
TESTS = {"check", "unit", "contract", "integration"}


def scans(job: Job) -> list[tuple[int, dict[str, object]]]:
    """Where a job scans, and how."""
    return [(at, step["with"]) for at, step in enumerate(job.steps) if "trivy-action" in str(step.get("uses"))]


def place(job: Job, what: str) -> int:
    """The step that runs or uses something."""
    found = [at for at, step in enumerate(job.steps) if what in f"{step.get('run', '')} {step.get('uses', '')}"]
    return found[0] if found else -1


@rule
def nothing_is_built_before_all_tests_have_passed(repository: Repository) -> Iterator[str]:
    for name in ("image", "publish"):
        job = repository.job(SERVICE, name)
        if {*job.body["needs"]} != TESTS:
            yield f"{job} needs {job.body['needs']}"


nothing_is_built_before_all_tests_have_passed.broken_by_change(
    SERVICE, "unit, contract, integration]", "unit, contract]"
)


@rule
def each_platform_is_scanned_between_build_and_push(repository: Repository) -> Iterator[str]:
    platforms = repository.workflows[SERVICE]["env"]["PLATFORMS"].split(",")
    wanted = [f".banyan/pipeline/${{{{ inputs.service }}}}/{name.replace('/', '-')}" for name in platforms]
    for name in ("image", "publish"):
        job = repository.job(SERVICE, name)
        if [how.get("input") for _, how in scans(job)] != wanted:
            yield f"{job} does not scan {wanted}"
        if any(how.get("trivy-config") != GATE or "exit-code" in how for _, how in scans(job)):
            yield f"{job}: a scan that is no gate"
        if any("continue-on-error" in step or "if" in step for step in job.steps):
            yield f"{job}: a step that may be left out, or may fail"
        places = [at for at, _ in scans(job)]
        if not place(job, "make image") < min(places, default=-1):
            yield f"{job} scans before it builds"
        if name == "publish" and not max(places, default=99) < place(job, "make push"):
            yield f"{job} pushes before it scans"


each_platform_is_scanned_between_build_and_push.broken_by_change(SERVICE, "/linux-arm64", "/linux-amd64")
each_platform_is_scanned_between_build_and_push.broken_by_change(SERVICE, "linux/amd64,linux/arm64", "linux/amd64")
each_platform_is_scanned_between_build_and_push.broken_by_change(
    SERVICE, "          cache: false\n", "          cache: false\n          exit-code: 0\n"
)
each_platform_is_scanned_between_build_and_push.broken_by_change(SERVICE, "gate.yaml", "full.yaml")
each_platform_is_scanned_between_build_and_push.broken_by(
    lambda it: it.changed(SERVICE, "      - run: make push\n", "").changed(
        SERVICE, "make image CACHE=write\n", "make image CACHE=write\n      - run: make push\n"
    )
)


@rule
def a_signature_comes_before_the_tag(repository: Repository) -> Iterator[str]:
    job = repository.job(SERVICE, "publish")
    steps = [place(job, what) for what in ("make push", "cosign-installer", "make sign", "make tag")]
    if -1 in steps or steps != sorted(steps):
        yield f"{job}: {job.commands}"


a_signature_comes_before_the_tag.broken_by_change(SERVICE, "      - run: make sign\n", "")
a_signature_comes_before_the_tag.broken_by(
    lambda it: it.changed(SERVICE, "make sign", "make x").changed(SERVICE, "make tag", "make sign")
)


@rule
def only_what_is_merged_is_published(repository: Repository) -> Iterator[str]:
    if not only_on_main(repository.job(SERVICE, "publish")):
        yield "publish"
    if repository.job(SERVICE, "image").body.get("if") != "github.event_name == 'pull_request'":
        yield "image"
    for job in repository.jobs():
        if place(job, "make push") >= 0 and job.name != "publish":
            yield f"{job} pushes"


only_what_is_merged_is_published.broken_by_change(SERVICE, "refs/heads/main'", "refs/heads/next'")
only_what_is_merged_is_published.broken_by_change(SERVICE, "make image CACHE=read", "make push")


@rule
def what_is_published_takes_nothing_from_other_runs(repository: Repository) -> Iterator[str]:
    """A cache that a pull request could have filled; the registry's is filled by main alone."""
    prepared = [step for step in repository.job(SERVICE, "publish").steps if "prepare" in str(step.get("uses"))]
    if [step.get("with", {}).get("cache") for step in prepared] != ["false"]:
        yield "publish takes wheels from the cache of all runs"
    written = [str(job) for job in repository.jobs() if place(job, "CACHE=write") >= 0]
    if written != [f"{SERVICE}: publish"]:
        yield f"layers are left by {written}"


what_is_published_takes_nothing_from_other_runs.broken_by_change(SERVICE, 'cache: "false"', 'cache: "true"')
what_is_published_takes_nothing_from_other_runs.broken_by_change(SERVICE, "CACHE=read", "CACHE=write")


@rule
def the_gate_is_what_can_be_mended_and_the_report_is_everything(repository: Repository) -> Iterator[str]:
    gate, full = (yaml.safe_load(repository.files[path]) for path in (GATE, FULL))
    if (gate["exit-code"], gate["severity"], gate["vulnerability"]["ignore-unfixed"]) != (1, ["CRITICAL"], True):
        yield f"gate: {gate}"
    if full["exit-code"] != 0 or len(full["severity"]) != 5 or full["vulnerability"]["ignore-unfixed"]:
        yield f"report: {full}"


the_gate_is_what_can_be_mended_and_the_report_is_everything.broken_by_change(GATE, "exit-code: 1", "exit-code: 0")
the_gate_is_what_can_be_mended_and_the_report_is_everything.broken_by_change(FULL, "exit-code: 0", "exit-code: 1")


@rule
def the_report_follows_a_promotion_and_blocks_nothing(repository: Repository) -> Iterator[str]:
    workflow = repository.workflows[PROMOTED]
    events = dict(workflow[True])
    if events["push"]["paths"] != ["deploy/overlays/*/release.env"] or "schedule" not in events:
        yield f"it runs on {events}"
    if events.keys() & {"pull_request", "workflow_call"}:
        yield "something could wait for it"
    how = [how for _, how in scans(repository.job(PROMOTED, "scan"))]
    if [(each["trivy-config"], each["format"]) for each in how] != [(FULL, "sarif")]:
        yield f"it scans by {how}"
    scan = repository.job(PROMOTED, "scan")
    if place(scan, "upload-sarif") < 0:
        yield "its SARIF goes nowhere"
    later = scan.steps[place(scan, "make promoted-image") + 1 :]
    if any(step.get("if") != "steps.promoted.outputs.image" for step in later):
        yield "it scans what was never published"
    if {"actions": "read", "security-events": "write"}.items() - scan.body["permissions"].items():
        yield f"it cannot report with {scan.body['permissions']}"
    if repository.job(PROMOTED, "issue").commands != ["make findings"]:
        yield "no issue tells of it"


the_report_follows_a_promotion_and_blocks_nothing.broken_by_change(PROMOTED, "*/release.env", "staging/release.env")
the_report_follows_a_promotion_and_blocks_nothing.broken_by_change(PROMOTED, "full.yaml", "gate.yaml")
the_report_follows_a_promotion_and_blocks_nothing.broken_by_change(
    PROMOTED, "if: steps.promoted.outputs.image", "if: always()"
)
the_report_follows_a_promotion_and_blocks_nothing.broken_by_change(PROMOTED, "      actions: read\n", "")
the_report_follows_a_promotion_and_blocks_nothing.broken_by_change(PROMOTED, "make findings", "make status")


@rule
def a_promotion_is_a_pull_request(repository: Repository) -> Iterator[str]:
    proposing = repository.job(PROMOTE, "propose")
    if proposing.commands != ["make promote", "make propose"] or proposing.body["needs"] != "carry":
        yield f"{proposing}: {proposing.commands}"
    if repository.job(PROMOTE, "carry").commands != ["make carry"]:
        yield "an image could be missing"
    if dict(repository.workflows[PROMOTE][True]).keys() != {"workflow_dispatch"}:
        yield "it starts by itself"
    fetched = [step["with"] for job in (proposing, repository.job(PROMOTE, "carry")) for step in job.steps[:1]]
    if any(each.get("fetch-depth") != 0 for each in fetched):
        yield "it does not know the history"


a_promotion_is_a_pull_request.broken_by_change(PROMOTE, "      - run: make promote\n", "")
a_promotion_is_a_pull_request.broken_by_change(PROMOTE, "needs: carry", "needs: []")
a_promotion_is_a_pull_request.broken_by_change(PROMOTE, "fetch-depth: 0", "fetch-depth: 1")


@rule
def the_registry_is_named_alike_by_pipeline_and_environments(repository: Repository) -> Iterator[str]:
    pipeline = re.findall(r"(?m)^REGISTRY \?= (\S+)$", repository.files["Makefile"])
    cluster = {
        name for text in repository.files.values() for name in re.findall(r"literals: \[REGISTRY=([^\],]+)\]", text)
    } - {"banyan"}
    if {*pipeline} != cluster or len(pipeline) != 1:
        yield f"{pipeline} and {cluster}"


the_registry_is_named_alike_by_pipeline_and_environments.broken_by_change(
    "Makefile", "ghcr.io/banyan-shop", "ghcr.io/x"
)
