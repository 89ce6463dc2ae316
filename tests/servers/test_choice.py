"""TEST_SERVERS is obeyed; without it the engine decides, and what was chosen is said."""

import re
import time

import pytest

from tests.servers.choice import Choice, Kind, NoContainersError, NotChosenError, choose
from tests.servers.images import NATS_IMAGE, POSTGRES_IMAGE, Images
from tests.servers.sessions import collected

NO_ENGINE = {"DOCKER_HOST": "unix:///nonexistent"}


def answers(images: Images) -> None:
    """An engine that has every image."""


def absent(images: Images) -> None:
    """No engine."""
    raise NoContainersError("no Docker engine answers")


def must_not_be_asked(images: Images) -> None:
    """An engine that is none of our business."""
    raise AssertionError("the engine was asked")


def test_without_a_setting_the_engine_decides() -> None:
    assert choose({}, answers) == Choice(Kind.CONTAINERS, Images())
    assert choose({"TEST_SERVERS": "auto"}, absent) == Choice(Kind.EMBEDDED, Images(), "no Docker engine answers")


def test_embedded_servers_are_chosen_without_a_look_at_the_engine() -> None:
    assert choose({"TEST_SERVERS": "embedded"}, must_not_be_asked).kind is Kind.EMBEDDED


def test_containers_without_an_engine_are_refused() -> None:
    assert choose({"TEST_SERVERS": "containers"}, answers).kind is Kind.CONTAINERS
    with pytest.raises(NotChosenError, match=r"^TEST_SERVERS=containers: no Docker engine answers$"):
        choose({"TEST_SERVERS": "containers"}, absent)


def test_another_word_is_refused_with_those_that_are_known() -> None:
    with pytest.raises(NotChosenError, match=r"^TEST_SERVERS=docker is none of auto, containers, embedded$"):
        choose({"TEST_SERVERS": "docker"}, must_not_be_asked)


def test_images_are_pinned_unless_the_environment_names_others() -> None:
    named = {"NATS_IMAGE": "registry.example/nats:2", "POSTGRES_IMAGE": ""}
    assert choose(named, answers).images == Images(POSTGRES_IMAGE, "registry.example/nats:2")
    for image in (POSTGRES_IMAGE, NATS_IMAGE):
        assert re.fullmatch(r"[a-z]+:[\w.-]+@sha256:[0-9a-f]{64}", image)


def test_the_choice_is_told_in_a_few_words() -> None:
    assert str(choose({}, answers)) == "containers (postgres:18-trixie, nats:2.12-alpine)"
    assert str(choose({}, absent)) == "embedded (no Docker engine answers)"
    assert str(choose({"TEST_SERVERS": "embedded"}, absent)) == "embedded"


def test_a_session_says_which_servers_it_uses() -> None:
    heard = collected(TEST_SERVERS="auto", **NO_ENGINE)
    assert heard.returncode == 0, heard.stderr
    assert "\nservers: embedded (no Docker engine answers at unix:///nonexistent)\n" in heard.stdout


@pytest.mark.parametrize(
    ("setting", "complaint"),
    [
        ("containers", "TEST_SERVERS=containers: no Docker engine answers at unix:///nonexistent"),
        ("podman", "TEST_SERVERS=podman is none of auto, containers, embedded"),
    ],
)
def test_a_session_that_cannot_be_as_asked_ends_with_one_line(setting: str, complaint: str) -> None:
    heard = collected(TEST_SERVERS=setting, **NO_ENGINE)
    assert heard.returncode == pytest.ExitCode.USAGE_ERROR
    assert (heard.stdout + heard.stderr).split("\n") == [f"ERROR: {complaint}", "", ""]


@pytest.mark.parametrize("host", ["unix:///nonexistent", "tcp://127.0.0.1:1", "tcp://192.0.2.1:2375", "nonsense://"])
def test_the_absence_of_an_engine_is_noticed_within_a_second(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", host)
    from tests.servers import engine

    begun = time.monotonic()
    with pytest.raises(NoContainersError, match=re.escape(host)):
        engine.obtain(Images(), print)
    assert time.monotonic() - begun < 1


def test_tests_that_use_the_servers_are_marked_and_no_others() -> None:
    marked = collected("-q", "-m", "integration", TEST_SERVERS="embedded").stdout
    others = collected("-q", "-m", "not integration", TEST_SERVERS="embedded").stdout
    with_postgres, through_another = "test_postgres_refuses_a_wrong_password", "test_two_databases_of_one_service"
    for name in (with_postgres, through_another, "test_nats_refuses_a_stranger"):
        assert name in marked
        assert name not in others
    assert "test_a_server_ends_with_the_process_that_started_it" in others
    assert "test_a_server_ends_with_the_process_that_started_it" not in marked
