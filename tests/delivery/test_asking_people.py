"""What people are told on GitHub: one issue about what runs, and a pull request for what shall run."""

import json
import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from deploy.kubernetes.promote import release
from deploy.pipeline import findings, propose
from deploy.pipeline.tools import Failed

BEFORE, AFTER = "0" * 12, "1" * 12


def alert(name: str, severity: str | None, where: str, what: str = "a flaw") -> dict[str, object]:
    rule = {"id": name, "security_severity_level": severity, "description": what}
    return {"rule": rule, "most_recent_instance": {"category": where}}


@dataclass
class FakeGitHub:
    """`gh`, with a list of findings and of issues."""

    alerts: Sequence[dict[str, object]] = ()
    issues: Sequence[dict[str, object]] = ()
    refusal: str = ""
    calls: list[Sequence[str]] = field(default_factory=list)

    def run(self, command: Sequence[str]) -> str:
        self.calls.append(command)
        if command[1] == "api":
            if self.refusal:
                raise Failed(f"gh api --paginate … ended with 1: gh: {self.refusal}")
            return "".join(f"{json.dumps(each)}\n" for each in self.alerts)
        return json.dumps(self.issues) if command[1:3] == ("issue", "list") else "https://github.example/1\n"

    @property
    def changes(self) -> list[Sequence[str]]:
        return [call[1:4] for call in self.calls if call[1:3] not in (("issue", "list"), ("api", "--paginate"))]


OPEN = ({"number": 7, "title": findings.TITLE}, {"number": 8, "title": f"Re: {findings.TITLE}"})
FOUND = (alert("CVE-2", "low", "staging/psp"), alert("CVE-1", "critical", "staging/orders"))


def test_the_first_finding_opens_an_issue() -> None:
    github = FakeGitHub(FOUND)
    assert findings.report(github.run) == "https://github.example/1"
    assert github.changes == [("issue", "create", "--title")]


def test_the_next_scan_rewrites_it() -> None:
    github = FakeGitHub(FOUND, OPEN)
    findings.report(github.run)
    assert github.changes == [("issue", "edit", "7")]


def test_when_nothing_is_left_it_is_closed() -> None:
    github = FakeGitHub((), OPEN)
    findings.report(github.run)
    assert github.changes == [("issue", "close", "7")]


def test_nothing_found_and_nothing_open_changes_nothing() -> None:
    github = FakeGitHub((), OPEN[1:])
    assert findings.report(github.run) == "nothing was found"
    assert github.changes == []


def test_where_nothing_was_ever_reported_nothing_is_found() -> None:
    github = FakeGitHub(refusal="no analysis found (HTTP 404)")
    assert findings.report(github.run) == "nothing was found"


def test_findings_that_may_not_be_read_are_not_taken_for_none() -> None:
    github = FakeGitHub(issues=OPEN, refusal="Resource not accessible by integration (HTTP 403)")
    with pytest.raises(Failed, match="403"):
        findings.report(github.run)
    assert github.changes == []


def test_what_has_no_room_is_counted() -> None:
    page = findings.page(alert(f"CVE-{number:05}", "high", "staging/orders", "x" * 200) for number in range(1000))
    rows = [line for line in page.splitlines() if line.startswith("| high")]
    assert 59_000 < len(page) <= findings.ROOM
    assert page.endswith(f"\n\n{1000 - len(rows)} more are left out here: the list of code scanning has them all.\n")
    assert "left out" not in findings.page(FOUND).replace("is left out here", "")


def test_the_worst_comes_first_and_names_all_its_places() -> None:
    page = findings.page([*FOUND, alert("CVE-1", "critical", "production/orders"), alert("CVE-3", None, "x/y")])
    rows = [line for line in page.splitlines() if line.startswith("| ")][1:]
    assert rows == [
        "| critical | CVE-1 | a flaw | production/orders, staging/orders |",
        "| low | CVE-2 | a flaw | staging/psp |",
        "| low | CVE-3 | a flaw | x/y |",
    ]


def test_a_description_cannot_break_the_table() -> None:
    page = findings.page([alert("CVE-1", "high", "a/b", "one | two\nthree")])
    assert "| high | CVE-1 | one \\| two three | a/b |" in page


class Checkout:
    """A clone of a repository, of which staging is at the first commit."""

    def __init__(self, folder: Path) -> None:
        self.root, self.origin = folder / "checkout", folder / "origin.git"
        self.root.mkdir()
        self.git("init", "--quiet", "--bare", str(self.origin))
        self.git("init", "--quiet", "--initial-branch=main")
        self.git("remote", "add", "origin", str(self.origin))
        self.file = self.root / release("staging")
        self.file.parent.mkdir(parents=True)
        self.first = self.commit("first")
        self.file.write_text(f"COMMIT={self.first}\n")
        self.git("add", "deploy")
        self.commit("stage it")
        self.second = self.commit("second")

    def git(self, *arguments: str) -> str:
        command = ("git", *arguments)
        done = subprocess.run(command, cwd=self.root, check=False, capture_output=True, text=True)
        if done.returncode != 0:
            raise Failed(done.stderr)
        return done.stdout

    def commit(self, subject: str) -> str:
        self.git(*propose.BOT, "commit", "--quiet", "--allow-empty", "--message", subject)
        return self.git("rev-parse", "HEAD").strip()[:12]


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path)


@pytest.fixture(autouse=True)
def _run_of_a_workflow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_RUN_ID", "71")
    monkeypatch.setenv("GITHUB_RUN_ATTEMPT", "1")


def test_a_promotion_is_pushed_to_a_branch_and_asked_for(checkout: Checkout) -> None:
    checkout.file.write_text(f"COMMIT={checkout.second}\n")
    (checkout.root / "other").write_text("somebody's work")
    github = FakeGitHub()
    assert propose.propose("staging", github.run, checkout.git, checkout.root) == "https://github.example/1"
    branch = f"promote-staging-{checkout.second}-71-1"
    told = checkout.git("--git-dir", str(checkout.origin), "show", "--format=%s", "--name-only", branch)
    assert told.split("\n\n") == [f"Promote {checkout.second} to staging", f"{release('staging')}\n"]
    (call,) = github.calls
    assert call[:7] == ("gh", "pr", "create", "--base", "main", "--head", branch)
    assert f"- {checkout.second[:7]}" in call[-1]
    assert "It takes back" not in call[-1]


@pytest.mark.parametrize(("run", "attempt"), [("71", "2"), ("72", "1")])
def test_the_branch_of_an_earlier_attempt_is_in_nobodys_way(
    checkout: Checkout, monkeypatch: pytest.MonkeyPatch, run: str, attempt: str
) -> None:
    checkout.file.write_text(f"COMMIT={checkout.second}\n")
    propose.propose("staging", FakeGitHub().run, checkout.git, checkout.root)
    checkout.git("switch", "--quiet", "main")
    checkout.commit("something else was merged")
    monkeypatch.setenv("GITHUB_RUN_ID", run)
    monkeypatch.setenv("GITHUB_RUN_ATTEMPT", attempt)
    checkout.file.write_text(f"COMMIT={checkout.second}\n")
    propose.propose("staging", FakeGitHub().run, checkout.git, checkout.root)
    pushed = checkout.git("--git-dir", str(checkout.origin), "branch", "--format=%(refname:short)").split()
    named = f"promote-staging-{checkout.second}"
    assert pushed == [f"{named}-71-1", f"{named}-{run}-{attempt}"]


def test_outside_of_a_workflow_the_time_tells_branches_apart() -> None:
    assert re.fullmatch(r"\d{8}T\d{6}Z", propose.attempt({}))


def test_a_rollback_says_what_it_takes_back(checkout: Checkout) -> None:
    checkout.file.write_text(f"COMMIT={checkout.second}\n")
    checkout.git(*propose.BOT, "commit", "--quiet", "--all", "--message", "promoted")
    checkout.file.write_text(f"COMMIT={checkout.first}\n")
    github = FakeGitHub()
    propose.propose("staging", github.run, checkout.git, checkout.root)
    assert "It takes back" in github.calls[0][-1]
    assert "It brings" not in github.calls[0][-1]


def test_without_a_promotion_there_is_nothing_to_propose(checkout: Checkout) -> None:
    github = FakeGitHub()
    with pytest.raises(Failed, match="make promote ENV=staging"):
        propose.propose("staging", github.run, checkout.git, checkout.root)
    assert github.calls == []


def test_the_token_is_asked_for_by_the_push_alone(checkout: Checkout) -> None:
    checkout.file.write_text(f"COMMIT={checkout.second}\n")
    propose.propose("staging", FakeGitHub().run, checkout.git, checkout.root)
    assert "credential" not in (checkout.root / ".git" / "config").read_text()
