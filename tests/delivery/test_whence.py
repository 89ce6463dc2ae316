"""`make whence`: an image leads to its commit, and what is not known of it is said to be unknown."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from deploy.delivery import image, pod, signature, source, whence
from deploy.delivery.asking import Answer, Failed, ask
from deploy.delivery.source import Commit
from tests.delivery.told import NAMED, Told, recorded

ENGINE, REGISTRY = "docker image inspect", "docker buildx imagetools inspect"
BASE = (
    "gcr.io/distroless/python3-debian13:nonroot@sha256:83aa8d4f74a4d7f7cf2d472054139bef71a927b76c680c0f2e1021d6b1d6d732"
)
NO_IMAGE = Answer(1, "[]\n", "Error response from daemon: No such image: x\n")
NO_ENGINE = Answer(1, "[]\n", "Cannot connect to the Docker daemon at unix:///x. Is the docker daemon running?\n")
UNREACHABLE = Answer(1, "", "ERROR: failed to do request: dial tcp: lookup ghcr.io: no such host\n")
LOCAL, REMOTE = f"banyan/catalog:{NAMED}", f"ghcr.io/banyan-shop/orders:{NAMED}"
Make = Callable[..., Told]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A repository with one commit: a recipe of two stages."""
    recipe = tmp_path / source.RECIPE
    recipe.parent.mkdir()
    recipe.write_text(f"FROM python:3.13 AS build\nRUN true\nFROM --platform=$TARGETPLATFORM {BASE}\nUSER 1\n")
    author = ("-c", "user.name=a", "-c", "user.email=a@example.com")
    for command in (("init", "-q"), ("add", "."), (*author, "commit", "-q", "-m", "Sell books: all of them")):
        assert ask(("git", "-C", str(tmp_path), *command)).good
    return tmp_path


@pytest.fixture
def told(root: Path) -> Make:
    """Recorded answers in which the images are of the repository's commit."""
    head = ask(("git", "-C", str(root), "rev-parse", "HEAD")).out

    def make(commit: str = head[:12], **answers: Answer) -> Told:
        known = {"engine": ENGINE, "registry": REGISTRY, "cosign": "cosign verify", "kubectl": "kubectl"}
        return Told({known[name]: answer for name, answer in answers.items()}, commit)

    return make


def of(reference: str, root: Path, told: Told) -> whence.Whence:
    return whence.whence(image.find(reference, told), root, told)


def test_a_local_image_leads_to_its_commit_and_to_the_base_of_that_commits_recipe(root: Path, told: Make) -> None:
    found = of(LOCAL, root, told(engine=recorded("engine")))
    assert found.commit is not None
    assert (found.commit.subject, found.commit.changed, len(found.commit.sha)) == ("Sell books: all of them", False, 40)
    assert found.base == f"{BASE} (as the recipe of that commit says)"
    assert found.signature.startswith("not signed: local image")
    assert found.sbom.startswith("none: local image; make sbom IMAGE=")


def test_a_local_image_needs_neither_registry_nor_cosign(root: Path, told: Make) -> None:
    asked = told(engine=recorded("engine"))
    of(LOCAL, root, asked)
    assert {line.split()[0] for line in asked.asked} == {"docker", "git"}
    assert not [line for line in asked.asked if "imagetools" in line]


@pytest.mark.parametrize(
    ("recording", "platforms"),
    [
        ("registry-one-platform", ["linux/amd64"]),
        ("registry-two-platforms", ["linux/amd64", "linux/arm64"]),
        ("registry-provenance-v1", ["linux/amd64"]),
    ],
)
def test_of_an_image_in_a_registry_the_attestations_are_told(
    root: Path, told: Make, recording: str, platforms: list[str]
) -> None:
    found = of(REMOTE, root, told(engine=NO_IMAGE, registry=recorded(recording)))
    assert found.commit is not None
    assert list(found.platforms) == platforms
    assert found.remote is not None
    assert found.remote.startswith("ghcr.io/banyan-shop/orders@sha256:")
    assert found.sbom == "attached, SPDX: " + ", ".join(f"2 packages ({name})" for name in platforms)
    assert found.provenance == "attached, built by https://github.com/banyan-shop/banyan/actions/runs/1"
    assert found.base == f"{BASE} (the provenance names it too)"
    assert found.signature.startswith("not known: cosign is not installed")


def test_of_an_image_that_was_pulled_the_registry_is_asked_by_digest(root: Path, told: Make) -> None:
    pulled = json.loads(recorded("engine").out)
    pulled[0]["RepoDigests"] = ["elsewhere.example:5000/catalog@sha256:1", "ghcr.io/banyan-shop/catalog@sha256:2"]
    asked = told(engine=Answer(0, json.dumps(pulled)), registry=recorded("registry-one-platform"))
    found = of("ghcr.io/banyan-shop/catalog:today", root, asked)
    assert found.remote == "ghcr.io/banyan-shop/catalog@sha256:2"
    assert found.sbom.startswith("attached")
    assert next(line for line in asked.asked if line.startswith(REGISTRY)).endswith("banyan-shop/catalog@sha256:2")


def test_a_registry_that_cannot_be_asked_leaves_unknown_what_it_alone_knows(root: Path, told: Make) -> None:
    pulled = json.loads(recorded("engine").out)
    pulled[0]["RepoDigests"] = ["ghcr.io/banyan-shop/catalog@sha256:2"]
    found = of("banyan/catalog", root, told(engine=Answer(0, json.dumps(pulled)), registry=UNREACHABLE))
    assert found.commit is not None
    assert found.sbom == found.provenance
    assert found.sbom.startswith("not known: its registry cannot be asked: ERROR: failed to do request")


def test_an_image_of_a_changed_checkout_is_not_its_commits(root: Path, told: Make) -> None:
    asked = told(engine=recorded("engine"))
    asked.commit += source.DIRTY
    found = of(LOCAL, root, asked)
    assert found.commit is not None
    assert found.commit.changed
    assert "changes that were never committed" in whence.text(found)


@pytest.mark.parametrize("named", ["0123456789ab", "unknown", "HEAD", "--all"])
def test_what_names_no_commit_of_this_repository_leads_nowhere(root: Path, told: Make, named: str) -> None:
    found = of(LOCAL, root, told(named, engine=recorded("engine")))
    assert found.commit is None
    assert found.base.startswith("not known")


def test_an_image_that_contradicts_itself_is_not_believed(told: Make) -> None:
    answer = recorded("engine").out.replace(f"COMMIT={NAMED}", "COMMIT=0123456789ab")
    with pytest.raises(Failed, match=r"its label names .* its environment 0123456789ab"):
        image.find(LOCAL, told(engine=Answer(0, answer)))


def test_platforms_of_several_commits_are_not_believed(told: Make) -> None:
    both = json.loads(recorded("registry-two-platforms").out)
    config = both["image"]["linux/arm64"]["config"]
    config["Labels"][image.REVISION], config["Env"] = "0123456789ab", []
    with pytest.raises(Failed, match="several commits, by platform"):
        image.find(REMOTE, told(engine=NO_IMAGE, registry=Answer(0, json.dumps(both))))


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        ({}, "docker is not installed"),
        ({"engine": NO_IMAGE, "registry": UNREACHABLE}, "it is not here; and a registry says: ERROR: failed to do"),
        ({"engine": NO_ENGINE, "registry": UNREACHABLE}, "Cannot connect to the Docker daemon"),
    ],
    ids=["no-docker", "no-image", "no-engine"],
)
def test_without_the_image_one_line_says_why(told: Make, answers: dict[str, Answer], said: str) -> None:
    with pytest.raises(Failed, match=said) as failure:
        image.find(REMOTE, told(**answers))
    assert "\n" not in str(failure.value)


SIGNED = Answer(0, json.dumps([{"critical": {}, "optional": {"Subject": signature.SIGNER}}]))


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (SIGNED, f"signed by {signature.SIGNER}"),
        (Answer(0, "[]"), f"signed by {signature.SIGNER}"),
        (
            Answer(10, "", "Error: no signatures found\nerror during command execution: no signatures found"),
            "not signed",
        ),
        (Answer(12, "", "Error: no matching signatures: none of the expected identities matched"), "not signed"),
        (Answer(1, "", "Error: tuf: failed to reach the mirror"), "not known: Error: tuf: failed to reach the mirror"),
    ],
    ids=["signed", "nameless", "unsigned", "by-another", "unreachable"],
)
def test_a_signature_counts_only_if_cosign_says_so(root: Path, told: Make, answer: Answer, said: str) -> None:
    asked = told(engine=NO_IMAGE, registry=recorded("registry-one-platform"), cosign=answer)
    found = of(REMOTE, root, asked)
    assert found.signature.startswith(said)
    (verified,) = [line for line in asked.asked if line.startswith("cosign")]
    assert f"--certificate-identity {signature.SIGNER} --certificate-oidc-issuer {signature.ISSUER}" in verified
    assert verified.endswith(str(found.remote))


def test_who_must_have_signed_can_be_said(told: Make, monkeypatch: pytest.MonkeyPatch, root: Path) -> None:
    monkeypatch.setenv("SIGNER", "https://github.com/else/shop/.github/workflows/service.yml@refs/heads/main")
    asked = told(engine=NO_IMAGE, registry=recorded("registry-one-platform"), cosign=SIGNED)
    of(REMOTE, root, asked)
    assert "--certificate-identity https://github.com/else/shop/" in asked.asked[-1]


def test_a_pod_leads_to_its_images_each_once(told: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NAMESPACE", "banyan-staging")
    monkeypatch.delenv("CONTEXT", raising=False)
    spec = {"containers": [{"image": "orders:1"}], "initContainers": [{"image": "orders:1"}, {"image": "envoy:1"}]}
    asked = told(kubectl=Answer(0, json.dumps({"spec": spec})))
    assert pod.images("pod/orders-1", asked) == ("orders:1", "envoy:1")
    assert asked.asked == ["kubectl --namespace banyan-staging get pod orders-1 --output json"]


def test_without_kubectl_the_way_by_hand_is_told(told: Make) -> None:
    with pytest.raises(Failed, match=r"kubectl get pod NAME -o jsonpath=.* names the image"):
        pod.images("pod/orders-1", told())


def test_what_is_told_is_readable_by_people_and_by_programs(
    root: Path, told: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = told(engine=recorded("engine"))
    assert whence.show(LOCAL, root, asked, as_json=True) == 0
    (parsed,) = json.loads(capsys.readouterr().out)
    assert Commit(**parsed["commit"]).subject == "Sell books: all of them"
    assert whence.show(LOCAL, root, asked, as_json=False) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == LOCAL
    assert [line.split()[0] for line in lines[1:]] == [
        "commit", "made", "registry", "base", "SBOM", "provenance", "signature",
    ]  # fmt: skip


def test_an_image_of_nobody_we_know_is_shown_and_ends_with_3(root: Path, told: Make) -> None:
    assert whence.show(LOCAL, root, told("unknown", engine=recorded("engine")), as_json=False) == whence.UNTRACED
