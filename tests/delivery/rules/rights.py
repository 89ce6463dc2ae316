"""Who may do what: nothing but reading, until something has been merged; no secret, and no job without an end."""

import csv
import re
from collections.abc import Iterator

from tests.delivery.repository import SERVICE, SYSTEM, WORKFLOWS, Repository, triggers
from tests.delivery.rule import rule

TABLE = ".github/actions.csv"
ORDERS = f"{WORKFLOWS}orders.yml"
PROMOTED = f"{WORKFLOWS}promoted.yml"
USES = re.compile(r"(?m)^\s*(?:- )?uses: (?P<action>\S+?)(?:@(?P<commit>\S+))?(?: # (?P<version>\S+))?$")
READ = {"contents": "read"}
# With one group for all of main, of three pushes the second would never be built.
EACH_COMMIT = {
    "group": "${{ github.workflow }}-${{ github.event_name == 'pull_request' && github.ref || github.sha }}",
    "cancel-in-progress": "${{ github.event_name == 'pull_request' }}",
}


@rule
def each_action_is_the_commit_of_the_table(repository: Repository) -> Iterator[str]:
    rows = list(csv.DictReader(repository.files[TABLE].splitlines()))
    table = {row["action"]: (row["commit"], row["version"]) for row in rows}
    used = set()
    for path, text in repository.files.items():
        if not path.startswith((WORKFLOWS, ".github/actions/")):
            continue
        for found in USES.finditer(text):
            if found["action"].startswith("$/"):
                continue
            name = "/".join(found["action"].split("/")[:2])
            used.add(name)
            if table.get(name) != (found["commit"], found["version"]):
                yield f"{path}: {found[0].strip()}"
        if len(USES.findall(text)) != len(re.findall(r"\buses:", text)):
            yield f"{path}: an action that cannot be read"
    yield from (f"{name} is used nowhere" for name in sorted(table.keys() - used))
    yield from (
        f"{name} is no commit" for name, (commit, _) in table.items() if not re.fullmatch("[0-9a-f]{40}", commit)
    )


each_action_is_the_commit_of_the_table.broken_by_change(SERVICE, "trivy-action@ed", "trivy-action@ee")
each_action_is_the_commit_of_the_table.broken_by_change(SERVICE, " # v7.0.1", " # v7.0.0")
each_action_is_the_commit_of_the_table.broken_by_change(SERVICE, "actions/checkout@3d3c42e5", "evil/checkout@3d3c42e5")
each_action_is_the_commit_of_the_table.broken_by_change(
    SYSTEM, "helm/kind-action@ef37e7f390d99f746eb8b610417061a60e82a6cc", "helm/kind-action@v1.14.0"
)
each_action_is_the_commit_of_the_table.broken_by(
    lambda it: it.with_file(TABLE, it.files[TABLE] + f"unused/action,{'0' * 40},v1\n")
)


@rule
def a_workflow_may_only_read(repository: Repository) -> Iterator[str]:
    yield from (path for path, workflow in repository.workflows.items() if workflow.get("permissions") != READ)


a_workflow_may_only_read.broken_by_change(SYSTEM, "permissions:\n  contents: read", "permissions: write-all")
a_workflow_may_only_read.broken_by_change(SYSTEM, "permissions:\n  contents: read\n", "")


@rule
def what_a_pull_request_starts_may_only_read(repository: Repository) -> Iterator[str]:
    for job in repository.seen_by_pull_requests():
        # A call hands on the most that a job there may ask for; each job there is asked itself.
        if "uses" not in job.body and job.body.get("permissions", READ) != READ:
            yield f"{job}: {job.body['permissions']}"


what_a_pull_request_starts_may_only_read.broken_by_change(
    SERVICE, "if: github.event_name != 'pull_request' && github.ref == 'refs/heads/main'", "if: always()"
)
what_a_pull_request_starts_may_only_read.broken_by_change(
    SERVICE, "github.event_name != 'pull_request' && github.ref", "github.event_name != 'pull_request' || github.ref"
)
what_a_pull_request_starts_may_only_read.broken_by_change(
    SYSTEM, "  kind:\n", "  kind:\n    permissions: {packages: write}\n"
)


@rule
def what_a_pull_request_starts_knows_no_secret(repository: Repository) -> Iterator[str]:
    for job in repository.seen_by_pull_requests():
        for word in ("github.token", "secrets", "login-action", "GH_TOKEN"):
            if word in str(job.body):
                yield f"{job}: {word}"


what_a_pull_request_starts_knows_no_secret.broken_by_change(
    SYSTEM, "run: make up", "run: make up TOKEN=${{ github.token }}"
)
what_a_pull_request_starts_knows_no_secret.broken_by_change(ORDERS, "    with:", "    secrets: inherit\n    with:")


@rule
def there_is_no_secret_at_all(repository: Repository) -> Iterator[str]:
    """What a workflow may do, it may by its own token and its own identity."""
    yield from (path for path in repository.workflows if re.search(r"\bsecrets\b", repository.files[path]))


there_is_no_secret_at_all.broken_by_change(SERVICE, "${{ github.token }}", "${{ secrets.REGISTRY }}")


@rule
def nothing_runs_a_strangers_code_with_our_rights(repository: Repository) -> Iterator[str]:
    for path, workflow in repository.workflows.items():
        yield from (f"{path}: {name}" for name in triggers(workflow).keys() & {"pull_request_target", "workflow_run"})


nothing_runs_a_strangers_code_with_our_rights.broken_by_change(ORDERS, "pull_request:", "pull_request_target:")


@rule
def each_workflow_says_what_happens_to_a_second_run(repository: Repository) -> Iterator[str]:
    for path, workflow in repository.workflows.items():
        # What is called takes part in the concurrency of its caller.
        if triggers(workflow).keys() != {"workflow_call"} and {"group", "cancel-in-progress"} != {
            *workflow.get("concurrency", {})
        }:
            yield path
        if "pull_request" in triggers(workflow) and workflow.get("concurrency") != EACH_COMMIT:
            yield f"{path}: a commit of main could be left out, or an old one of a pull request goes on"
    publish = repository.job(SERVICE, "publish").body.get("concurrency", {})
    if publish != {"group": "publish-${{ inputs.service }}", "cancel-in-progress": False, "queue": "max"}:
        yield "what publishes could be cut off or left out"


each_workflow_says_what_happens_to_a_second_run.broken_by_change(SYSTEM, "concurrency:", "env:")
each_workflow_says_what_happens_to_a_second_run.broken_by_change(SYSTEM, " || github.sha", " || github.ref")
each_workflow_says_what_happens_to_a_second_run.broken_by_change(ORDERS, " || github.sha", " || github.ref")
each_workflow_says_what_happens_to_a_second_run.broken_by_change(
    SERVICE, "cancel-in-progress: false", "cancel-in-progress: true"
)
each_workflow_says_what_happens_to_a_second_run.broken_by_change(SERVICE, "      queue: max\n", "")


@rule
def each_job_has_an_end(repository: Repository) -> Iterator[str]:
    for job in repository.jobs():
        if "uses" not in job.body and not 0 < job.body.get("timeout-minutes", 0) <= 120:
            yield str(job)


each_job_has_an_end.broken_by_change(PROMOTED, "    timeout-minutes: 10\n", "")


@rule
def a_checkout_keeps_no_token(repository: Repository) -> Iterator[str]:
    for job in repository.jobs():
        for step in job.steps:
            if "checkout" in str(step.get("uses")) and step.get("with", {}).get("persist-credentials") is not False:
                yield str(job)


a_checkout_keeps_no_token.broken_by_change(PROMOTED, "persist-credentials: false", "persist-credentials: true")


@rule
def a_runner_is_named_by_its_version(repository: Repository) -> Iterator[str]:
    yield from (str(job) for job in repository.jobs() if job.body.get("runs-on", "ubuntu-24.04") != "ubuntu-24.04")


a_runner_is_named_by_its_version.broken_by_change(SYSTEM, "ubuntu-24.04", "ubuntu-latest")
