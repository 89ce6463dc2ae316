"""An image as a folder in the OCI image layout: the bytes that are scanned, and then pushed as they are."""

import json
import os
import shutil
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

INDEX = "application/vnd.oci.image.index.v1+json"
UNKNOWN = "unknown"


@dataclass(frozen=True)
class Layout:
    """A folder with `index.json`, which names one thing: an image, or an index of one for each platform."""

    folder: Path

    @classmethod
    def unpacked(cls, archive: Path, folder: Path) -> "Layout":
        """What an archive of Buildx or of `docker save` holds; the archive is deleted."""
        with tarfile.open(archive) as packed:
            packed.extractall(folder, filter="data")
        archive.unlink()
        return cls(folder)

    def root(self) -> dict[str, Any]:
        """The descriptor of the whole."""
        found = _read(self.folder / "index.json")["manifests"]
        if len(found) != 1:
            raise ValueError(f"{self.folder} holds {len(found)} images, not one")
        return dict(found[0])

    @property
    def digest(self) -> str:
        return str(self.root()["digest"])

    def images(self) -> dict[str, dict[str, Any]]:
        """The descriptor of each image by its platform, `linux/amd64`; what is attached to them is no image."""
        root = self.root()
        if root["mediaType"] != INDEX:
            return {self._platform_of(root): root}
        listed = self.blob(root["digest"])["manifests"]
        named = {_platform(each.get("platform", {})): each for each in listed}
        return {name: each for name, each in named.items() if UNKNOWN not in name}

    def split(self, beside: Path) -> dict[str, "Layout"]:
        """One folder for each platform, `linux-amd64`, that a scanner can be shown: of the very same bytes."""
        return {name: self._only(each, beside / name.replace("/", "-")) for name, each in self.images().items()}

    def labels(self, name: str) -> set[str]:
        """What the images of all platforms say under this name."""
        configurations = (self.configuration(each) for each in self.images().values())
        return {str(each.get("config", {}).get("Labels", {}).get(name)) for each in configurations}

    def configuration(self, image: dict[str, Any]) -> dict[str, Any]:
        """How an image is run, and for which platform."""
        return self.blob(self.blob(image["digest"])["config"]["digest"])

    def blob(self, digest: str) -> dict[str, Any]:
        """A JSON document of the image."""
        return _read(self.folder / "blobs" / digest.replace(":", "/"))

    def _only(self, image: dict[str, Any], folder: Path) -> "Layout":
        folder.mkdir(parents=True)
        shutil.copy(self.folder / "oci-layout", folder)
        (folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": [image]}))
        (folder / "blobs").symlink_to(os.path.relpath(self.folder / "blobs", folder))
        return Layout(folder)

    def _platform_of(self, image: dict[str, Any]) -> str:
        return _platform(self.configuration(image))


def _platform(named: dict[str, Any]) -> str:
    return f"{named.get('os', UNKNOWN)}/{named.get('architecture', UNKNOWN)}"


def _read(file: Path) -> dict[str, Any]:
    return dict(json.loads(file.read_text()))
