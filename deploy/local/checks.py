"""What a trial runs against a shop that has just come up, here or in containers."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence

from deploy.local.place import ROOT
from deploy.local.screen import Screen

Commands = Mapping[str, Sequence[str]]


def python(*arguments: str) -> Sequence[str]:
    """A module of this checkout in this environment."""
    return (sys.executable, "-m", *arguments)


def run_all(commands: Commands, environment: Mapping[str, str], screen: Screen) -> list[str]:
    """Run everything even when something has failed: one run tells all. Returns what failed."""
    failed = []
    for name, command in commands.items():
        screen.say(f"\n{name}", style="bold")
        begun = time.monotonic()
        done = subprocess.run(command, env={**os.environ, **environment}, cwd=ROOT, check=False)
        if done.returncode != 0:
            failed.append(name)
        screen.say(f"{name}: {time.monotonic() - begun:.0f} s", style="dim")
    return failed


def end_at_sigterm() -> None:
    """Whoever cancels a build sends SIGTERM; as an exception it goes through the blocks that take the shop down."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
