"""`make compose-up`: done is when the books are there, not when containers are."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from deploy.compose import project
from deploy.local.screen import RunError
from deploy.pipeline import containers
from deploy.pipeline.tools import Failed


@dataclass
class Seed:
    """The container that registers books; `looks` at it until it has ended."""

    looks: int
    code: int = 0

    @property
    def pid(self) -> int:
        self.looks -= 1
        return max(self.looks, 0)

    def log(self) -> str:
        return "no database"

    def inspect(self) -> dict[str, dict[str, int]]:
        return {"State": {"ExitCode": self.code}}


Start = Callable[[Seed], list[tuple[str, ...]]]


@pytest.fixture
def start(monkeypatch: pytest.MonkeyPatch) -> Start:
    def with_seed(seed: Seed) -> list[tuple[str, ...]]:
        asked: list[tuple[str, ...]] = []
        monkeypatch.setenv("COMPOSE_PROJECT_NAME", "banyan-x")
        monkeypatch.setenv("COMMIT", "0123456789ab")
        monkeypatch.setattr(project, "compose", lambda *words, **_: asked.append(words))
        monkeypatch.setattr(project, "container", lambda name: {"seed": seed}[name])
        monkeypatch.setattr(project, "url", lambda: "http://127.0.0.1:8080")
        return asked

    return with_seed


def test_it_waits_for_the_books(start: Start) -> None:
    seed = Seed(looks=3)
    asked = start(seed)
    assert containers.up() == "banyan-x is up: http://127.0.0.1:8080"
    assert asked == [("up", "--detach", "--wait")]
    assert seed.looks <= 0


def test_a_shop_without_books_is_not_up(start: Start) -> None:
    start(Seed(looks=1, code=1))
    with pytest.raises(Failed, match="no database"):
        containers.up()


def test_what_docker_complains_about_is_told(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    start(Seed(looks=1))

    def refused(*words: str, **_: object) -> str:
        raise RunError("docker compose up: exit code 1")

    monkeypatch.setattr(project, "compose", refused)
    with pytest.raises(Failed, match="exit code 1"):
        containers.up()
