"""What people see: a moving line and colours on a terminal, one plain line a step in a pipe."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn


class RunError(Exception):
    """The local run cannot go on; `advice` says what the reader can do about it."""

    def __init__(self, message: str, advice: str = "") -> None:
        super().__init__(message)
        self.advice = advice


class Step:
    """One line of the report: `detail` is what came of it, `note` what is going on meanwhile."""

    def __init__(self, title: str, show: "Progress | None" = None) -> None:
        self.title = title
        self.detail = ""
        self._show = show
        self._task = show.add_task(title, total=None) if show else None

    def note(self, text: str, done: int | None = None, total: int | None = None) -> None:
        """Say what is going on, and how far it has come; a pipe does not see it."""
        if self._show is not None and self._task is not None:
            self._show.update(self._task, description=f"{self.title}: {text}", completed=done, total=total)


class Screen:
    """Prints steps as they end."""

    def __init__(self, console: Console | None = None) -> None:
        # Soft wrapping: a line in a pipe is one line, however long.
        self.console = console or Console(highlight=False, soft_wrap=True)

    def say(self, text: str = "", style: str | None = None) -> None:
        self.console.print(text, style=style, markup=False)

    @contextmanager
    def step(self, title: str) -> Iterator[Step]:
        """A piece of work: shown while it lasts on a terminal, and as one line when it has ended."""
        begun = time.monotonic()
        if not self.console.is_terminal:
            step = Step(title)
            yield step
        else:
            columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(24), MofNCompleteColumn())
            with Progress(*columns, console=self.console, transient=True) as progress:
                step = Step(title, progress)
                yield step
        self._ended(step, time.monotonic() - begun)

    def _ended(self, step: Step, seconds: float) -> None:
        self.console.print("  ✓ ", style="green", end="")
        self.console.print(f"{step.title:<22} ", end="", markup=False)
        self.console.print(step.detail, end="", markup=False)
        self.console.print(f"  {seconds:.1f} s", style="dim")
