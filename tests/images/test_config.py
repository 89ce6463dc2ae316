"""What an image says of itself: to the engine that runs it, and to people who ask where it comes from."""

import re
from datetime import UTC, datetime

from tests.images.building import Commit
from tests.images.docker import docker, inspect

SECRET = re.compile(r"secret|passw|token|credential|private|_key\b|api_?key", re.IGNORECASE)


def test_the_user_is_a_number_and_not_root(image: str) -> None:
    """A name would have to be looked up, and Kubernetes cannot tell that it is not root."""
    assert inspect(image)["Config"]["User"] == "65532:65532"


def test_the_entry_point_is_in_exec_form_and_takes_no_shell(image: str) -> None:
    config = inspect(image)["Config"]
    assert config["Entrypoint"][0] == "/usr/bin/python3.13"
    assert not {"/bin/sh", "sh", "-c"} & {*config["Entrypoint"], *config["Cmd"]}
    assert not config.get("Shell")


def test_a_service_runs_itself_on_port_8080(service: str, commit: Commit) -> None:
    config = inspect(commit.tag(service))["Config"]
    assert config["Cmd"] == ["/app"]
    assert list(config["ExposedPorts"]) == ["8080/tcp"]
    assert {"HOST=0.0.0.0", "PORT=8080", f"COMMIT={commit.sha}"} <= set(config["Env"])


def test_the_labels_name_the_commit(image: str, commit: Commit) -> None:
    name = image.partition("/")[2].partition(":")[0]
    labels = inspect(image)["Config"]["Labels"]
    assert labels["org.opencontainers.image.revision"] == commit.sha
    assert labels["org.opencontainers.image.title"] == f"banyan-{name}"


def test_it_says_it_was_made_when_its_commit_was(image: str, commit: Commit) -> None:
    created = datetime.fromisoformat(inspect(image)["Created"])
    assert created == datetime.fromtimestamp(commit.seconds, UTC)


def test_nothing_in_the_environment_or_in_the_history_looks_like_a_secret(image: str) -> None:
    config = inspect(image)["Config"]
    assert [line for line in config["Env"] if SECRET.search(line.partition("=")[0])] == []
    history = docker("history", "--no-trunc", "--format", "{{.CreatedBy}}", image)
    assert [line for line in history.splitlines() if SECRET.search(line)] == []


def test_it_keeps_no_volume_of_its_own(image: str) -> None:
    """A volume that nobody asked for is where forgotten data lies."""
    assert not inspect(image)["Config"].get("Volumes")
