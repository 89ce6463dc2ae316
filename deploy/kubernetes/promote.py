"""Names the commit that an environment shall run: `python -m deploy.kubernetes.promote staging 1234567890ab`.

It edits the one line of deploy/overlays/<environment>/release.env and says how to propose that: nothing reaches a
cluster until somebody has merged it. Production gets what staging has had, and nothing else.
"""

import argparse
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from deploy.local.place import ROOT

ENVIRONMENTS = ("staging", "production")
# Images are tagged with so many digits.
DIGITS = 12
_SHA = re.compile(rf"[0-9a-f]{{{DIGITS}}}|[0-9a-f]{{40}}")
_LINE = re.compile(rf"COMMIT=([0-9a-f]{{{DIGITS}}})\n")


class Refused(Exception):
    """Nothing was changed; the text says why."""


@dataclass(frozen=True)
class Promotion:
    """What was changed: from which commit to which."""

    environment: str
    before: str
    after: str

    def commands(self) -> str:
        """What makes a proposal of the change."""
        branch, file = f"promote-{self.environment}-{self.after}", release(self.environment)
        return "\n".join(
            (
                f"git switch --create {branch}",
                f'git commit --message "Promote {self.after} to {self.environment}" -- {file}',
                f"git push --set-upstream origin {branch}",
            )
        )


def main() -> int:
    """Entry point of the command."""
    parser = argparse.ArgumentParser(prog="python -m deploy.kubernetes.promote", description=__doc__)
    parser.add_argument("environment", choices=ENVIRONMENTS)
    parser.add_argument("sha", help="12 or all 40 digits")
    parser.add_argument("--force", action="store_true", help="to production although staging has not run it")
    parser.add_argument("--source", type=Path, help="a checkout of the code, where deploy/ is a repository of its own")
    options = parser.parse_args()
    try:
        done = promote(ROOT, options.environment, options.sha, force=options.force, source=options.source)
    except Refused as refusal:
        sys.stderr.write(f"promote: {refusal}\n")
        return 1
    print(f"{done.environment}: {done.before} -> {done.after}. Now propose it, and look at what it brings:\n")
    print(f"{done.commands()}\ngit log --oneline {done.before}..{done.after}")
    return 0


def promote(root: Path, environment: str, sha: str, *, force: bool = False, source: Path | None = None) -> Promotion:
    """Write the commit into the environment's line. Raises `Refused` before anything is changed."""
    if not _SHA.fullmatch(sha):
        raise Refused(f"{sha!r} is not a commit: name it by {DIGITS} or by all 40 hexadecimal digits, in small letters")
    file = root / release(environment)
    before, after = _named(file.read_text(), release(environment)), sha[:DIGITS]
    if _git(source or root, "rev-parse", "--verify", "--quiet", f"{sha}^{{commit}}") is None:
        raise Refused(f"there is no commit {sha} here: fetch it first")
    if before == after:
        raise Refused(f"{environment} is at {after} already")
    if environment == "production" and not force and after not in history(root, "staging"):
        raise Refused(f"staging has never run {after}: promote it there first, or --force")
    file.write_text(f"COMMIT={after}\n")
    return Promotion(environment, before, after)


def release(environment: str) -> str:
    """The file with the line."""
    return f"deploy/overlays/{environment}/release.env"


def history(root: Path, environment: str) -> set[str]:
    """Each commit that the environment was ever at, as far as this branch knows."""
    file = release(environment)
    changes = (_git(root, "log", "--format=%H", "--", file) or "").split()
    texts = [_git(root, "show", f"{change}:{file}") for change in changes]
    return {found[1] for text in texts if text and (found := _LINE.fullmatch(text))}


def _named(text: str, file: str) -> str:
    found = _LINE.fullmatch(text)
    if found is None:
        raise Refused(f"{file} is not the one line COMMIT=… that it should be; mend it first")
    return found[1]


def _git(root: Path, *arguments: str) -> str | None:
    """What git says, or None where it says no."""
    done = subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True, check=False)
    return done.stdout if done.returncode == 0 else None


if __name__ == "__main__":
    sys.exit(main())
