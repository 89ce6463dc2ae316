"""A tag names what an image was made from: a commit, or a checkout that differs from it."""

import subprocess
from pathlib import Path

import pytest

from tests.images.building import BuildError, Commit, checked_out

SOURCE = "services/orders/src/orders/main.py"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A source and a document, committed."""
    for name in (SOURCE, "docs/benchmarks.md"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_text("first\n")
    _git(tmp_path, "init", "--quiet")
    _git(tmp_path, "add", ".")
    _git(tmp_path, "-c", "user.name=a", "-c", "user.email=a@example.org", "commit", "--quiet", "--message=first")
    return tmp_path


def _git(folder: Path, *arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, check=True).stdout.strip()


def _head(folder: Path) -> Commit:
    return Commit(_git(folder, "rev-parse", "HEAD")[:12], int(_git(folder, "log", "-1", "--format=%ct")))


def test_an_unchanged_checkout_is_its_commit(checkout: Path) -> None:
    assert checked_out(checkout) == _head(checkout)


def test_a_changed_source_is_not_its_commit(checkout: Path) -> None:
    (checkout / SOURCE).write_text("second\n")
    assert checked_out(checkout).sha == f"{_head(checkout).sha}-dirty"


def test_a_new_source_is_not_of_its_commit_either(checkout: Path) -> None:
    (checkout / SOURCE).with_name("new.py").write_text("new\n")
    assert checked_out(checkout).sha == f"{_head(checkout).sha}-dirty"


def test_the_page_that_the_measuring_writes_makes_no_other_image(checkout: Path) -> None:
    (checkout / "docs/benchmarks.md").write_text("second\n")
    assert checked_out(checkout) == _head(checkout)


def test_a_folder_that_is_no_checkout_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match="not a git repository"):
        checked_out(tmp_path)
