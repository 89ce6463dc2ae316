"""An image as a folder: what is scanned for one platform is, byte by byte, what is pushed for all."""

import hashlib
import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest

from deploy.pipeline import image, tools
from deploy.pipeline.layout import INDEX, Layout
from deploy.pipeline.tools import Failed
from tests.compose.composition import PINNED

IMAGE = "application/vnd.oci.image.manifest.v1+json"
COMMIT = "0123456789ab"


class Archive:
    """What Buildx would write: blobs by their digest, and an index of them."""

    def __init__(self) -> None:
        self.blobs: dict[str, bytes] = {}

    def add(self, content: dict[str, Any], kind: str, **further: Any) -> dict[str, Any]:
        raw = json.dumps(content).encode()
        digest = f"sha256:{hashlib.sha256(raw).hexdigest()}"
        self.blobs[digest] = raw
        return {"mediaType": kind, "digest": digest, "size": len(raw), **further}

    def image(self, architecture: str, commit: str = COMMIT) -> dict[str, Any]:
        labels = {"org.opencontainers.image.revision": commit}
        config = self.add({"os": "linux", "architecture": architecture, "config": {"Labels": labels}}, "config")
        return self.add({"config": config}, IMAGE, platform={"os": "linux", "architecture": architecture})

    def attestation(self, of: dict[str, Any]) -> dict[str, Any]:
        return self.add({"subject": of["digest"]}, IMAGE, platform={"os": "unknown", "architecture": "unknown"})

    def write(self, file: Path, *roots: dict[str, Any]) -> Path:
        contents = {f"blobs/{digest.replace(':', '/')}": raw for digest, raw in self.blobs.items()}
        contents["oci-layout"] = b'{"imageLayoutVersion": "1.0.0"}'
        contents["index.json"] = json.dumps({"schemaVersion": 2, "manifests": roots}).encode()
        with tarfile.open(file, "w") as packed:
            for name, raw in contents.items():
                about = tarfile.TarInfo(name)
                about.size = len(raw)
                packed.addfile(about, io.BytesIO(raw))
        return file


def unpacked(tmp_path: Path, commits: tuple[str, str] = (COMMIT, COMMIT)) -> Layout:
    """Of two platforms, with something attached to each."""
    archive = Archive()
    images = [archive.image("amd64", commits[0]), archive.image("arm64", commits[1])]
    attached = [archive.attestation(each) for each in images]
    root = archive.add({"manifests": [*images, *attached]}, INDEX)
    return Layout.unpacked(archive.write(tmp_path / "image.tar", root), tmp_path / "all")


def test_each_platform_has_a_folder_of_the_same_bytes(tmp_path: Path) -> None:
    whole = unpacked(tmp_path)
    parts = whole.split(tmp_path)
    assert {name: part.folder.name for name, part in parts.items()} == {
        "linux/amd64": "linux-amd64",
        "linux/arm64": "linux-arm64",
    }
    pushed = {each["digest"] for each in whole.blob(whole.digest)["manifests"]}
    for name, part in parts.items():
        assert part.digest in pushed
        assert list(part.images()) == [name]
        assert (part.folder / "blobs").resolve() == (whole.folder / "blobs").resolve()
        assert (part.folder / "oci-layout").is_file()


def test_an_engine_saves_one_platform_without_an_index(tmp_path: Path) -> None:
    archive = Archive()
    single = archive.image("amd64")
    del single["platform"]
    layout = Layout.unpacked(archive.write(tmp_path / "image.tar", single), tmp_path / "all")
    assert list(layout.split(tmp_path)) == ["linux/amd64"]
    assert not (tmp_path / "image.tar").exists()


def test_an_archive_of_two_images_is_refused(tmp_path: Path) -> None:
    archive = Archive()
    images = (archive.image("amd64"), archive.image("arm64"))
    layout = Layout.unpacked(archive.write(tmp_path / "image.tar", *images), tmp_path / "all")
    with pytest.raises(ValueError, match="2 images"):
        layout.split(tmp_path)


def test_an_image_is_named_by_the_commit_that_it_says(tmp_path: Path) -> None:
    assert image.commit(unpacked(tmp_path)) == COMMIT


@pytest.mark.parametrize("commits", [(f"{COMMIT}-dirty",) * 2, (COMMIT, "ba9876543210"), ("unknown",) * 2])
def test_what_is_not_of_one_commit_is_not_pushed(tmp_path: Path, commits: tuple[str, str]) -> None:
    with pytest.raises(Failed, match="from one commit"):
        image.commit(unpacked(tmp_path, commits))


def test_a_published_image_says_how_it_was_made_and_what_is_in_it(tmp_path: Path) -> None:
    options = image.published("orders", tmp_path / "image.tar")
    assert f"--set=orders.output=type=oci,dest={tmp_path}/image.tar" in options
    assert "--provenance=mode=max" in options
    assert f"--sbom=generator={image.SCANNER}" in options
    assert PINNED.fullmatch(image.SCANNER)


def test_layers_are_read_by_all_and_left_by_who_may(tmp_path: Path) -> None:
    registry = {"REGISTRY": "registry.example"}
    read = image.cache("orders", {**registry, "CACHE": "read"})
    write = image.cache("orders", {**registry, "CACHE": "write"})
    assert read == ("--set=orders.cache-from=type=registry,ref=registry.example/build-cache:orders",)
    assert write == (*read, f"{read[0].replace('cache-from', 'cache-to')},mode=max")
    assert image.cache("orders", {}) == ()
    with pytest.raises(Failed, match="neither"):
        image.cache("orders", {**registry, "CACHE": "yes"})


def test_a_missing_program_is_told_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    for name, advice in tools.MISSING.items():
        with pytest.raises(Failed) as failure:
            tools.run((name, "--version"))
        assert str(failure.value) == f"{name} is not here: {advice}"


def test_what_a_program_complains_about_is_told() -> None:
    with pytest.raises(Failed, match="ended with 3: no such thing"):
        tools.run(("sh", "-c", "echo no such thing >&2; exit 3"))
