"""Promotion: one line, of one environment, to a commit that exists, and to production only what staging has had."""

import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from deploy.kubernetes import promote
from deploy.local.place import ROOT

GIT = shutil.which("git") or "git"


class Repository:
    """A repository with both environments at its first commit."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.git("init", "--quiet", "--initial-branch=main")
        self.first = self.commit("first")
        for environment in promote.ENVIRONMENTS:
            file = self.file(environment)
            file.parent.mkdir(parents=True)
            file.write_text(f"COMMIT={self.first[:12]}\n")
        self.keep()
        self.second = self.commit("second")

    def git(self, *arguments: str) -> str:
        identity = ("-c", "user.name=Test", "-c", "user.email=test@banyan.example")
        done = subprocess.run([GIT, *identity, *arguments], cwd=self.root, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    def commit(self, subject: str) -> str:
        self.git("commit", "--quiet", "--allow-empty", "--message", subject)
        return self.git("rev-parse", "HEAD")

    def keep(self) -> None:
        """What a merged proposal leaves behind."""
        self.git("add", "deploy")
        self.commit("promoted")

    def file(self, environment: str) -> Path:
        return self.root / promote.release(environment)

    def promote(self, environment: str, sha: str, *, force: bool = False) -> promote.Promotion:
        return promote.promote(self.root, environment, sha, force=force)


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path)


def test_it_changes_one_line_and_nothing_else(repository: Repository) -> None:
    done = repository.promote("staging", repository.second)
    assert repository.file("staging").read_text() == f"COMMIT={repository.second[:12]}\n"
    assert (done.before, done.after) == (repository.first[:12], repository.second[:12])
    assert repository.git("diff", "--numstat") == f"1\t1\t{promote.release('staging')}"


def test_twelve_digits_are_enough(repository: Repository) -> None:
    repository.promote("staging", repository.second[:12])
    assert repository.file("staging").read_text() == f"COMMIT={repository.second[:12]}\n"


def test_what_it_prints_makes_a_commit_of_that_line_alone(repository: Repository) -> None:
    (repository.root / "other").write_text("somebody's work")
    repository.git("add", "other")
    commands = repository.promote("staging", repository.second).commands().splitlines()
    for command in commands[:2]:
        repository.git(*_words(command))
    assert repository.git("show", "--format=%s", "--name-only") == (
        f"Promote {repository.second[:12]} to staging\n\n{promote.release('staging')}"
    )


@pytest.mark.parametrize("sha", ["main", "HEAD", "1234567", "0123456789AB", "0123456789ab ", "latest", "", "g" * 12])
def test_what_is_no_commits_digits_is_refused(repository: Repository, sha: str) -> None:
    _refused(repository, "staging", sha, "is not a commit")


def test_a_commit_that_nobody_has_is_refused(repository: Repository) -> None:
    _refused(repository, "staging", "0" * 40, "there is no commit")


def test_a_file_that_is_no_commit_is_refused(repository: Repository) -> None:
    tree = repository.git("rev-parse", "HEAD^{tree}")
    _refused(repository, "staging", tree, "there is no commit")


def test_where_it_is_already_it_does_not_go(repository: Repository) -> None:
    _refused(repository, "staging", repository.first, "already")


def test_production_waits_for_staging(repository: Repository) -> None:
    _refused(repository, "production", repository.second, "staging has never run")


def test_what_is_not_merged_has_not_run(repository: Repository) -> None:
    repository.promote("staging", repository.second)
    _refused(repository, "production", repository.second, "staging has never run")


def test_production_gets_what_staging_has_had_also_long_ago(repository: Repository) -> None:
    repository.promote("staging", repository.second)
    repository.keep()
    repository.promote("staging", repository.commit("third"))
    repository.keep()
    assert repository.promote("production", repository.second).after == repository.second[:12]
    repository.keep()
    assert repository.promote("production", repository.first).after == repository.first[:12]


def test_force_goes_past_staging(repository: Repository) -> None:
    assert repository.promote("production", repository.second, force=True).after == repository.second[:12]


def test_force_does_not_make_a_commit(repository: Repository) -> None:
    with pytest.raises(promote.Refused, match="there is no commit"):
        repository.promote("production", "0" * 12, force=True)


def test_a_file_that_is_more_than_the_line_is_not_touched(repository: Repository) -> None:
    text = f"COMMIT={repository.first[:12]}\nDEBUG=on\n"
    repository.file("staging").write_text(text)
    with pytest.raises(promote.Refused, match="mend it first"):
        repository.promote("staging", repository.second)
    assert repository.file("staging").read_text() == text


def test_the_code_may_be_in_another_repository(
    repository: Repository, tmp_path_factory: pytest.TempPathFactory
) -> None:
    code = Repository(tmp_path_factory.mktemp("code"))
    only_there = code.commit("only there")
    _refused(repository, "staging", only_there, "there is no commit")
    assert promote.promote(repository.root, "staging", only_there, source=code.root).after == only_there[:12]


@pytest.mark.parametrize("environment", promote.ENVIRONMENTS)
def test_each_overlay_has_its_line(environment: str) -> None:
    text = (ROOT / promote.release(environment)).read_text()
    assert text.startswith("COMMIT=")
    assert len(text) == len("COMMIT=\n") + promote.DIGITS


def _refused(repository: Repository, environment: str, sha: str, why: str) -> None:
    before = repository.file(environment).read_text()
    with pytest.raises(promote.Refused, match=why):
        repository.promote(environment, sha)
    assert repository.file(environment).read_text() == before


def _words(command: str) -> list[str]:
    """The arguments of a printed git command, as a shell would cut them."""
    return shlex.split(command)[1:]
