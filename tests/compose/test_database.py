"""What the official PostgreSQL image does with our settings at a first start, tried with its own initdb."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from deploy.local import servers
from tests.compose.composition import services
from tests.servers.containers import INITDB


@pytest.mark.parametrize("options", [services()["orders-db"]["environment"]["POSTGRES_INITDB_ARGS"], INITDB])
def test_a_cluster_can_be_made_with_these_options_alone(options: str, server_folder: Path) -> None:
    """The image adds nothing to them, and the locale that they ask for needs an encoding."""
    folder, account = server_folder / f"cluster-{abs(hash(options))}", servers.postgres_account(server_folder)
    folder.mkdir()
    if account is not None:
        server_folder.chmod(0o711)
        shutil.chown(folder, account)
    done = subprocess.run(
        [str(servers.postgres_binary("initdb")), "-D", str(folder), "--no-sync", *options.split()],
        capture_output=True,
        text=True,
        env={"PATH": os.defpath, "LANG": "en_US.utf8"},
        cwd="/",
        user=account,
        check=False,
    )
    assert done.returncode == 0, done.stderr
