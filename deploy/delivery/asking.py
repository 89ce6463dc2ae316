"""Other people's commands, asked for an answer: what they said, and one line where they said no."""

import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass

SECONDS = 60.0
NOT_INSTALLED = 127


class Failed(Exception):
    """The question cannot be answered; the text is one line that says why, and what to do about it."""


@dataclass(frozen=True)
class Answer:
    """How a command ended, and what it wrote."""

    code: int
    out: str = ""
    err: str = ""

    @property
    def good(self) -> bool:
        return self.code == 0

    @property
    def complaint(self) -> str:
        """The last line of its complaint, which is where commands say what matters."""
        lines = [line.strip() for line in (self.err or self.out).splitlines() if line.strip()]
        return lines[-1] if lines else f"exit code {self.code}"


Ask = Callable[[Sequence[str]], Answer]


def ask(command: Sequence[str]) -> Answer:
    """Run it; whatever happens is an answer, also that there is no such program."""
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=SECONDS, check=False
        )
    except FileNotFoundError:
        return Answer(NOT_INSTALLED, err=f"{command[0]} is not installed")
    except subprocess.TimeoutExpired:
        return Answer(1, err=f"{command[0]} did not answer within {SECONDS:.0f} s")
    return Answer(done.returncode, done.stdout, done.stderr)


def ended(name: str, act: Callable[[], int]) -> int:
    """The exit code of a command: its own, 1 with one line where it `Failed`, 130 when it is interrupted."""
    try:
        return act()
    except Failed as failure:
        sys.stderr.write(f"{name}: {failure}\n")
        return 1
    except KeyboardInterrupt:
        return 130
