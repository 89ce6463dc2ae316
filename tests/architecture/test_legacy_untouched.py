"""The old shop is migrated as it is: its source is what it was when the migration began."""

import hashlib
from pathlib import Path

from tests.architecture.services import ROOT

SOURCE = ROOT / "services" / "legacy" / "src"
RECORDED = Path(__file__).with_name("legacy.sha256")


def checksum(folder: Path) -> str:
    """Of all files in a folder: their paths, in order, and what is in them. What Python leaves there does not count."""
    whole = hashlib.sha256()
    files = {file.relative_to(folder).as_posix(): file for file in folder.rglob("*") if file.is_file()}
    for name in sorted(name for name in files if "__pycache__" not in name):
        whole.update(f"{name}\0{hashlib.sha256(files[name].read_bytes()).hexdigest()}\n".encode())
    return whole.hexdigest()


def test_nobody_has_edited_the_old_shop_for_the_migration() -> None:
    assert checksum(SOURCE) == RECORDED.read_text().strip(), "a change belongs into the bridge, the facade or a service"


def test_the_checksum_sees_a_change_a_new_file_and_a_new_name(tmp_path: Path) -> None:
    file = tmp_path / "a.html"
    file.write_text("old")
    seen = {checksum(tmp_path)}
    file.write_text("new")
    seen.add(checksum(tmp_path))
    (tmp_path / "b.sql").touch()
    seen.add(checksum(tmp_path))
    file.rename(tmp_path / "c.html")
    seen.add(checksum(tmp_path))
    assert len(seen) == 4
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / "__pycache__" / "a.pyc").touch()
    assert checksum(tmp_path) in seen
