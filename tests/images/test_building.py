"""How images come about: the same again from the same, the last layer anew after a change, and no secret in any."""

import gzip
import ssl
import tarfile
from collections.abc import Iterator
from pathlib import Path
from subprocess import PIPE, Popen

import certifi
import pytest

from tests.images.building import DIRTY, Build, BuildError, Commit, built, change_a_line, copy_context
from tests.images.docker import docker, inspect, layers

CANARY = b"canary-9f3b1c7e2d"
SERVICE = "orders"
# Each builds; dependencies are fetched and stripped anew.
slow = pytest.mark.timeout(900)


@slow
def test_two_builds_from_nothing_are_the_same_image(commit: Commit) -> None:
    # A note on the build itself tells when it was, and an engine may count it as a part of the image.
    anew = Build(commit, options=("--no-cache", "--provenance=false"))
    with built(anew, SERVICE) as first, built(anew, SERVICE) as second:
        assert layers(first) == layers(second)
        assert _description(first) == _description(second)


def _description(image: str) -> dict[str, object]:
    """All that goes with the layers, wherever the engine keeps its images."""
    found = inspect(image)
    steps = docker("history", "--no-trunc", "--format", "{{.CreatedAt}} {{.CreatedBy}}", image)
    return {"history": steps, **{key: found[key] for key in ("Config", "Created", "Architecture", "Os")}}


def test_a_tag_that_names_no_commit_is_refused() -> None:
    with pytest.raises(BuildError, match="regex"):
        Build(Commit("latest", 0), options=("--print",)).of(SERVICE)


@slow
def test_an_image_of_a_changed_checkout_says_so(commit: Commit) -> None:
    changed = Commit(commit.sha.removesuffix(DIRTY) + DIRTY, commit.seconds)
    with built(Build(changed), SERVICE) as image:
        config = inspect(image)["Config"]
        assert config["Labels"]["org.opencontainers.image.revision"] == changed.sha
        assert f"COMMIT={changed.sha}" in config["Env"]


@slow
def test_a_changed_line_changes_the_last_layer_and_no_other(commit: Commit, tmp_path: Path) -> None:
    context = copy_context(tmp_path)
    build = Build(commit, context)
    with built(build, SERVICE) as before:
        change_a_line(context, SERVICE, "# a change")
        with built(build, SERVICE) as after:
            assert layers(before)[:-1] == layers(after)[:-1]
            assert layers(before)[-1] != layers(after)[-1]


@slow
def test_another_services_source_changes_nothing(commit: Commit, tmp_path: Path) -> None:
    context = copy_context(tmp_path)
    build = Build(commit, context)
    with built(build, SERVICE) as before:
        change_a_line(context, "catalog", "# a change")
        with built(build, SERVICE) as after:
            assert layers(before) == layers(after)


@pytest.fixture
def secret_files(tmp_path: Path) -> dict[str, Path]:
    """A configuration of uv and certificates, with a word in them that occurs nowhere else."""
    known = ssl.get_default_verify_paths().cafile or certifi.where()
    uv, ca = tmp_path / "uv.toml", tmp_path / "ca.crt"
    uv.write_bytes(b"# " + CANARY + b"\n")
    ca.write_bytes(b"# " + CANARY + b"\n" + Path(known).read_bytes())
    return {"uv.toml": uv, "ca.crt": ca}


def _with_secrets(commit: Commit, files: dict[str, Path]) -> Build:
    secrets = " ".join(f"id={name},src={path}" for name, path in files.items())
    # Secrets are no part of the key of a step in the cache: without this it would not run, and not see them.
    anew = ("--no-cache",)
    return Build(commit, options=anew, variables={"BUILD_SECRETS": secrets})


@slow
def test_a_build_secret_leaves_no_trace(commit: Commit, secret_files: dict[str, Path]) -> None:
    with built(_with_secrets(commit, secret_files), SERVICE) as image:
        assert CANARY.decode() not in docker("history", "--no-trunc", image)
        assert list(_places_of(CANARY, image)) == []
        assert list(_places_of(b"create_app", image)), "the search finds nothing at all"


@slow
@pytest.mark.parametrize(("name", "complaint"), [("uv.toml", "uv.toml"), ("ca.crt", "certificate")])
def test_a_build_uses_its_secrets(commit: Commit, secret_files: dict[str, Path], name: str, complaint: str) -> None:
    secret_files[name].write_text("nonsense" if name == "uv.toml" else "-----BEGIN CERTIFICATE-----\nnonsense\n")
    with pytest.raises(BuildError, match=complaint), built(_with_secrets(commit, secret_files), SERVICE):
        pass


def _places_of(word: bytes, image: str) -> Iterator[str]:
    """Where a word lies in an image: its description, its layers one by one, those of files that a later one hides."""
    process = Popen(["docker", "save", image], stdout=PIPE)
    with process, tarfile.open(fileobj=process.stdout, mode="r|") as parts:
        for part in parts:
            content = parts.extractfile(part)
            known = content.read() if content else b""
            plain = gzip.decompress(known) if known.startswith(b"\x1f\x8b") else known
            if word in plain:
                yield part.name
