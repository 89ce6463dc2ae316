"""What a trial runs against a shop that has just come up, here or in containers."""

import os
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Mapping, Sequence

from deploy.local.place import ROOT
from deploy.local.screen import Screen

Commands = Mapping[str, Sequence[str]]
LAST_LINES = 25


def python(*arguments: str) -> Sequence[str]:
    """A module of this checkout in this environment."""
    return (sys.executable, "-m", *arguments)


def run_all(commands: Commands, environment: Mapping[str, str], screen: Screen) -> list[str]:
    """Run everything even when something has failed: one run tells all. Returns what failed."""
    failed: dict[str, Sequence[str]] = {}
    for name, command in commands.items():
        screen.say(f"\n{name}", style="bold")
        begun = time.monotonic()
        code, last = _run(command, {**os.environ, **environment})
        if code != 0:
            failed[name] = last
        screen.say(f"{name}: {time.monotonic() - begun:.0f} s", style="dim")
    for name, last in failed.items():
        # Once more: in the log of a build only the end is looked at.
        screen.say("\n".join((f"\n{name} failed, and had said at last:", *last)), style="red")
    return list(failed)


def _run(command: Sequence[str], environment: Mapping[str, str]) -> tuple[int, Sequence[str]]:
    """Exit code and last lines; these are only kept where no person has seen them pass by."""
    if sys.stdout.isatty():
        return subprocess.run(command, env=environment, cwd=ROOT, check=False).returncode, ()
    last: deque[str] = deque(maxlen=LAST_LINES)
    with subprocess.Popen(
        command,
        env=environment,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as running:
        for line in running.stdout or ():
            sys.stdout.write(line)
            sys.stdout.flush()
            last.append(line.rstrip())
    return running.returncode, last


def end_at_sigterm() -> None:
    """Whoever cancels a build sends SIGTERM; as an exception it goes through the blocks that take the shop down."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
