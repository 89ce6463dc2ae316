"""Programs of others that the pipeline calls. Where one is missing, or may not do what it is told, one line says so."""

import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence

from deploy.local.place import ROOT

MISSING: Mapping[str, str] = {
    "docker": "Docker Engine 26 with Buildx: https://docs.docker.com/engine/install/",
    "skopeo": "it copies images to a registry: apt install skopeo, brew install skopeo",
    "cosign": "it signs, as the workflow that it runs in: outside of one there is no identity to sign with",
    "trivy": "it looks for known vulnerabilities: https://trivy.dev/docs/latest/getting-started/installation/",
    "gh": "it speaks to GitHub, with what GH_TOKEN or `gh auth login` allows: https://cli.github.com",
}


class Failed(Exception):
    """The step could not be done; the text says why, and what to do about it."""


Run = Callable[[Sequence[str]], str]


def run(command: Sequence[str]) -> str:
    """What a program prints; what it complains about is shown as it comes. Raises `Failed`."""
    name = command[0]
    if shutil.which(name) is None:
        raise Failed(f"{name} is not here: {MISSING.get(name, 'install it')}")
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        ending = (done.stderr or done.stdout).strip()[-2000:]
        raise Failed(f"{name} {' '.join(command[1:3])} … ended with {done.returncode}: {ending}")
    return done.stdout
