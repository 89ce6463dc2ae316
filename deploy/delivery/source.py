"""What this repository knows of a commit that an image names."""

import re
from dataclasses import dataclass
from pathlib import Path

from deploy.delivery.asking import Ask

DIRTY = "-dirty"
_SHA = re.compile(r"[0-9a-f]{7,64}")
_FROM = re.compile(r"^FROM\s+(?:--\S+\s+)*(?P<image>\S+)(?:\s+AS\s+\S+)?\s*$", re.MULTILINE | re.IGNORECASE)
RECIPE, RECIPE_OF_TOOLS = "services/Dockerfile", "deploy/compose/Dockerfile"


@dataclass(frozen=True)
class Commit:
    """All 40 digits, the day, the subject; `changed`: the image holds more than was committed."""

    sha: str
    date: str
    subject: str
    changed: bool


def commit(revision: str, root: Path, ask: Ask) -> Commit | None:
    """The commit of that name, or None where this repository has none."""
    name = revision.removesuffix(DIRTY)
    if not _SHA.fullmatch(name):
        return None
    show = ("git", "-C", str(root), "show", "--no-patch", "--format=%H%n%cs%n%s", f"{name}^{{commit}}")
    answer = ask(show)
    if not answer.good:
        return None
    sha, date, subject = answer.out.rstrip("\n").split("\n", 2)
    return Commit(sha, date, subject, revision.endswith(DIRTY))


def base(found: Commit, title: str | None, root: Path, ask: Ask) -> str | None:
    """What the recipe of that commit builds upon: its last FROM."""
    recipe = RECIPE_OF_TOOLS if title == "banyan-tools" else RECIPE
    answer = ask(("git", "-C", str(root), "show", f"{found.sha}:{recipe}"))
    images = _FROM.findall(answer.out) if answer.good else []
    return images[-1] if images else None
