"""Opens the pull request of a promotion: the one line that `make promote` has changed, and which commits it brings."""

import os
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from deploy.kubernetes.promote import DIGITS, release
from deploy.local.place import ROOT
from deploy.pipeline.carry import Git, git
from deploy.pipeline.tools import Failed, Run

# Who commits where nobody's name is configured.
BOT = ("-c", "user.name=github-actions[bot]", "-c", "user.email=41898282+github-actions[bot]@users.noreply.github.com")
# The token stays in the environment of the one command that asks for it, and out of the checkout's configuration.
CREDENTIALS = ("-c", "credential.helper=", "-c", "credential.helper=!gh auth git-credential")


def propose(environment: str, run: Run, git: Git = git, root: Path = ROOT) -> str:
    """Commit, push and ask; the address of the pull request. Raises `Failed`."""
    file = release(environment)
    before, after = _named(git("show", f"HEAD:{file}")), _named((root / file).read_text())
    if before == after:
        raise Failed(f"{environment} is at {after} already: make promote ENV={environment} SHA=… first")
    base = git("rev-parse", "--abbrev-ref", "HEAD").strip()
    branch, title = f"promote-{environment}-{after}-{attempt()}", f"Promote {after} to {environment}"
    git("switch", "--create", branch)
    git(*BOT, "commit", "--quiet", "--message", title, "--", file)
    git(*CREDENTIALS, "push", "--quiet", "--set-upstream", "origin", branch)
    named = ("--base", base, "--head", branch, "--title", title)
    return run(("gh", "pr", "create", *named, "--body", body(environment, before, after, git))).strip()


def attempt(environ: Mapping[str, str] = os.environ) -> str:
    """What no other proposal ends with: a commit can be promoted again, and its first branch may still be there."""
    run = environ.get("GITHUB_RUN_ID")
    return f"{run}-{environ.get('GITHUB_RUN_ATTEMPT', '1')}" if run else f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}"


def body(environment: str, before: str, after: str, git: Git) -> str:
    """What a reviewer decides about: forward or back, and every commit between."""
    brought, taken = _between(before, after, git), _between(after, before, git)
    told = [f"{environment}: `{before}` → `{after}`", ""]
    told += ["It brings:", "", *brought, ""] if brought else []
    told += ["It takes back:", "", *taken, ""] if taken else []
    return "\n".join((*told, "Merging it is the decision; the cluster fetches what was merged."))


def _between(first: str, last: str, git: Git) -> list[str]:
    lines = git("log", "--first-parent", "--max-count=201", "--format=- %h %s", f"{first}..{last}").splitlines()
    return [*lines[:200], "- … and more before these"] if len(lines) > 200 else lines


def _named(text: str) -> str:
    found = re.fullmatch(rf"COMMIT=([0-9a-f]{{{DIGITS}}})\n", text)
    if found is None:
        raise Failed("release.env is not the one line COMMIT=… that it should be")
    return found[1]
