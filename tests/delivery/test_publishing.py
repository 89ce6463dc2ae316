"""An image in the registry: its bytes, then its signature, then a name that never moves."""

import subprocess
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from deploy.delivery.signature import ISSUER, SIGNER
from deploy.pipeline import __main__ as pipeline
from deploy.pipeline import carry, image
from deploy.pipeline.registry import Repository
from deploy.pipeline.tools import Failed
from tests.delivery.registry import DIGEST, NAME, OTHER, FakeRegistry

COMMIT = "0123456789ab"
MADE_OF = ["services/orders/**", "uv.lock"]


@pytest.fixture
def registry() -> FakeRegistry:
    return FakeRegistry()


@pytest.fixture
def orders(registry: FakeRegistry) -> Repository:
    return Repository(NAME, registry.run)


def test_what_is_pushed_has_a_digest_and_no_tag(orders: Repository, registry: FakeRegistry) -> None:
    orders.push("/some/folder", DIGEST)
    assert registry.commands == [
        f"skopeo copy --all --preserve-digests oci:/some/folder docker://{NAME}@{DIGEST}",
    ]
    assert registry.held == {}


def test_what_is_signed_is_the_digest(orders: Repository, registry: FakeRegistry) -> None:
    orders.sign(DIGEST, SIGNER)
    assert registry.commands[0] == f"cosign sign --yes {NAME}@{DIGEST}"


def test_what_was_signed_is_verified_as_everybody_will_do_it(orders: Repository, registry: FakeRegistry) -> None:
    orders.sign(DIGEST, SIGNER)
    (line,) = registry.commands[1:]
    assert line.startswith("cosign verify ")
    assert line.endswith(f"--certificate-identity {SIGNER} --certificate-oidc-issuer {ISSUER} {NAME}@{DIGEST}")


def test_make_sign_signs_the_digest_that_was_made(monkeypatch: pytest.MonkeyPatch, registry: FakeRegistry) -> None:
    monkeypatch.setattr(pipeline, "run", registry.run)
    monkeypatch.setattr(image, "made", lambda service: SimpleNamespace(digest=DIGEST))
    for name, value in {"SERVICE": "orders", "REGISTRY": NAME.rpartition("/")[0], "GITHUB_REPOSITORY": "a/b"}.items():
        monkeypatch.setenv(name, value)
    pipeline.sign()
    assert [line.split()[1] for line in registry.commands] == ["sign", "verify"]
    assert all(line.endswith(f"{NAME}@{DIGEST}") for line in registry.commands)


def test_a_signature_that_nobody_could_verify_fails(orders: Repository, registry: FakeRegistry) -> None:
    registry.fails = "cosign verify"
    with pytest.raises(Failed):
        orders.sign(DIGEST, SIGNER)


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ({}, SIGNER),
        ({"GITHUB_REPOSITORY": "a/b"}, "https://github.com/a/b/.github/workflows/service.yml@refs/heads/main"),
        ({"GITHUB_REPOSITORY": "a/b", "SIGNER": "https://x.example/y"}, "https://x.example/y"),
    ],
)
def test_the_signer_is_the_pipeline_of_the_repository_that_it_runs_in(told: dict[str, str], expected: str) -> None:
    assert pipeline.signer(told) == expected


def test_a_tag_is_given_once(orders: Repository, registry: FakeRegistry) -> None:
    orders.tag(DIGEST, COMMIT)
    orders.tag(DIGEST, COMMIT)
    assert registry.held == {COMMIT: DIGEST}
    assert sum("copy" in line for line in registry.commands) == 1


def test_a_tag_never_moves(orders: Repository, registry: FakeRegistry) -> None:
    registry.held[COMMIT] = OTHER
    with pytest.raises(Failed, match="never moves"):
        orders.tag(DIGEST, COMMIT)
    assert registry.held == {COMMIT: OTHER}


def test_a_registry_that_does_not_answer_is_not_an_empty_one(orders: Repository, registry: FakeRegistry) -> None:
    registry.fails = "inspect"
    with pytest.raises(Failed, match="refused"):
        orders.tag(DIGEST, COMMIT)
    registry.fails = "list-tags"
    with pytest.raises(Failed, match="refused"):
        orders.tags()


def test_only_a_registry_of_this_machine_may_do_without_a_certificate(registry: FakeRegistry) -> None:
    Repository("127.0.0.1:5000/orders", registry.run).push("/f", DIGEST)
    assert "--dest-tls-verify=false" in registry.commands[0]


class History:
    """A repository with a service and something beside it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.git("init", "--quiet", "--initial-branch=main")

    def git(self, *arguments: str) -> str:
        identity = ("-c", "user.name=Test", "-c", "user.email=test@banyan.example")
        command = ("git", *identity, *arguments)
        done = subprocess.run(command, cwd=self.root, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise Failed(done.stderr)
        return done.stdout

    def change(self, path: str) -> str:
        """A commit that changes one file; its name as a tag has it."""
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(file.read_text() + "more\n" if file.exists() else "first\n")
        self.git("add", path)
        self.git("commit", "--quiet", "--message", f"change {path}")
        return self.git("rev-parse", "HEAD").strip()[:12]


@pytest.fixture
def history(tmp_path: Path) -> History:
    return History(tmp_path)


Carry = Callable[[str], str]


@pytest.fixture
def carried(orders: Repository, history: History) -> Carry:
    return lambda sha: carry.carry(orders, sha, MADE_OF, history.git)


def test_what_was_built_is_left_alone(carried: Carry, history: History, registry: FakeRegistry) -> None:
    commit = history.change("services/orders/main.py")
    registry.held[commit] = DIGEST
    assert carried(commit) == f"built at {commit}"
    assert registry.held == {commit: DIGEST}


def test_what_has_not_changed_gets_the_tag_of_the_commit(
    carried: Carry, history: History, registry: FakeRegistry
) -> None:
    built = history.change("services/orders/main.py")
    registry.held[built] = DIGEST
    history.change("services/catalog/main.py")
    promoted = history.change("docs/page.md")
    assert built in carried(promoted)
    assert registry.held == {built: DIGEST, promoted: DIGEST}


def test_the_newest_image_before_the_commit_counts(carried: Carry, history: History, registry: FakeRegistry) -> None:
    first = history.change("services/orders/main.py")
    second = history.change("services/orders/main.py")
    promoted = history.change("docs/page.md")
    later = history.change("services/orders/main.py")
    registry.held |= {first: OTHER, second: DIGEST, later: OTHER}
    carried(promoted)
    assert registry.held[promoted] == DIGEST


@pytest.mark.parametrize("path", ["services/orders/main.py", "services/orders/src/deep/down.py", "uv.lock"])
def test_what_has_changed_and_was_not_built_is_refused(
    carried: Carry, history: History, registry: FakeRegistry, path: str
) -> None:
    built = history.change("services/orders/other.py")
    registry.held[built] = DIGEST
    promoted = history.change(path)
    with pytest.raises(Failed, match="has changed since"):
        carried(promoted)
    assert registry.held == {built: DIGEST}


def test_without_any_image_there_is_nothing_to_carry(carried: Carry, history: History) -> None:
    with pytest.raises(Failed, match="has its pipeline run"):
        carried(history.change("services/orders/main.py"))


def test_a_commit_that_nobody_has_is_refused(carried: Carry, history: History) -> None:
    history.change("services/orders/main.py")
    with pytest.raises(Failed):
        carried("0" * 12)


def test_a_service_is_made_of_what_its_workflow_watches() -> None:
    assert {"services/orders/**", "chassis/**", "uv.lock"} <= {*carry.paths("orders")}
    assert "chassis/**" not in carry.paths("legacy")
