"""A Secret as kubelet mounts it: each file a link through `..data`, which is swapped for another folder in one step."""

import secrets
from pathlib import Path


class Mounted:
    """A folder of secrets; `replace` rotates them."""

    def __init__(self, path: Path, files: dict[str, str | bytes]) -> None:
        self.path = path
        path.mkdir(exist_ok=True)
        self.replace(files)
        for name in files:
            (path / name).symlink_to(Path("..data") / name)

    def replace(self, files: dict[str, str | bytes]) -> None:
        """All files at once; whoever reads sees the old ones or the new ones."""
        version = f"..{secrets.token_hex(6)}"
        (self.path / version).mkdir()
        for name, content in files.items():
            (self.path / version / name).write_bytes(content.encode() if isinstance(content, str) else content)
        link = self.path / "..data_tmp"
        link.symlink_to(version)
        link.replace(self.path / "..data")
