"""A promotion names one commit for all services, and a commit has built only those that it changed. The others get its
tag for the image that they had, if nothing that it is made of has changed since: the same bytes, the same signature.

What it says of itself stays true: `make whence` and /healthz name the commit that it was built from.
"""

import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import yaml

from deploy.local.place import ROOT
from deploy.pipeline.registry import Repository
from deploy.pipeline.tools import Failed

DIGITS = 12
# So far back an image is looked for.
COMMITS = 1000

Git = Callable[..., str]


def git(*arguments: str) -> str:
    """What git says of this checkout. Raises `Failed`."""
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Failed(f"git {arguments[0]}: {done.stderr.strip()}")
    return done.stdout


def paths(service: str, root: Path = ROOT) -> list[str]:
    """What a service is made of, as the path filter of its workflow says."""
    workflow = yaml.safe_load((root / ".github" / "workflows" / f"{service}.yml").read_text())
    # YAML 1.1 takes `on` for a yes.
    return list(workflow[True]["push"]["paths"])


def carry(repository: Repository, sha: str, made_of: Sequence[str], git: Git = git) -> str:
    """See to it that there is an image of the service at this commit; says what was done. Raises `Failed`."""
    wanted = git("rev-parse", "--verify", f"{sha}^{{commit}}").strip()[:DIGITS]
    known = repository.tags()
    if wanted in known:
        return f"built at {wanted}"
    commits = git("rev-list", "--first-parent", f"--max-count={COMMITS}", wanted).split()
    last = next((commit[:DIGITS] for commit in commits if commit[:DIGITS] in known), None)
    if last is None:
        raise Failed(f"{repository.name} has no image of {wanted} nor of any commit before it: has its pipeline run?")
    changed = git("diff", "--name-only", last, wanted, "--", *(f":(glob){path}" for path in made_of)).split()
    if changed:
        raise Failed(f"{repository.name} is at {last}, and {changed[0]} has changed since: its pipeline has not passed")
    digest = repository.digest(last)
    if digest is None:
        raise Failed(f"{repository.name}:{last} has gone while it was looked at")
    repository.tag(digest, wanted)
    return f"the image of {last}, for nothing of it has changed since"
