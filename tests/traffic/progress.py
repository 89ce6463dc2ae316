"""How far the run has come: a moving bar on a terminal, a plain line every few seconds in a pipe."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

PLAIN_EVERY = 5.0
Advance = Callable[[], None]


@contextmanager
def counting(console: Console, title: str, total: int) -> Iterator[Advance]:
    """Call what it yields once for each piece of work that is done."""
    started = time.monotonic()
    if console.is_terminal:
        columns = (TextColumn(f"{title:<10}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        with Progress(*columns, TextColumn("{task.fields[rate]}"), console=console, transient=True) as progress:
            yield _bar(progress, total, started)
    else:
        yield _lines(console, title, total, started)
    console.print(f"{title:<10} {total} in {time.monotonic() - started:.1f} s", markup=False)


def _bar(progress: Progress, total: int, started: float) -> Advance:
    task = progress.add_task("", total=total, rate="")
    done = 0

    def advance() -> None:
        nonlocal done
        done += 1
        progress.update(task, advance=1, rate=f"{done / (time.monotonic() - started):.1f}/s")

    return advance


def _lines(console: Console, title: str, total: int, started: float) -> Advance:
    done, shown = 0, started

    def advance() -> None:
        nonlocal done, shown
        done += 1
        now = time.monotonic()
        if now - shown >= PLAIN_EVERY:
            shown = now
            console.print(f"{title:<10} {done}/{total}, {done / (now - started):.1f}/s", markup=False)

    return advance
