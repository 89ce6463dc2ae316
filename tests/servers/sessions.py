"""Sessions of pytest that only collect: which servers they choose, and which tests they find."""

import os
import subprocess
import sys

from deploy.local.place import ROOT


def collected(*arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    """What a session says that collects a file with tests of both sorts."""
    return subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", *arguments, "tests/local/test_servers.py"],
        env={**os.environ, **environment},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
