"""The figures as a table on the screen, and as a section of docs/benchmarks.md with the bars they are held to."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from rich.console import Console
from rich.table import Table

from tests.bench.images.measure import Run, Weight

SIZE_BAR = 130_000_000
REBUILD_BAR = 5.0
HEADING = "## Images"
COLUMNS = ("image", "size, MB", "layers", "packages", "ready, s", "memory, MiB", "built again, s")


def rows(weights: Sequence[Weight], runs: Mapping[str, Run], rebuilds: Mapping[str, float]) -> list[tuple[str, ...]]:
    """One row an image; what is no service has no start."""
    return [_row(weight, runs.get(weight.image), rebuilds.get(weight.image)) for weight in weights]


def _row(weight: Weight, run: Run | None, rebuild: float | None) -> tuple[str, ...]:
    return (
        weight.image,
        f"{weight.size / 1e6:.1f}",
        str(weight.layers),
        str(weight.packages),
        f"{run.ready_seconds:.1f}" if run else "",
        f"{run.memory_mib:.0f}" if run else "",
        f"{rebuild:.1f}" if rebuild is not None else "",
    )


def heavy(weights: Sequence[Weight]) -> list[str]:
    """What is over the bar of size, in words."""
    return [f"{each.image} has {each.size:,} bytes" for each in weights if each.size > SIZE_BAR]


def slow(rebuilds: Mapping[str, float]) -> list[str]:
    """The same for the bar of time."""
    return [f"{name} took {taken:.1f} s to be built again" for name, taken in rebuilds.items() if taken > REBUILD_BAR]


def show(console: Console, table: Sequence[Sequence[str]]) -> None:
    """On a terminal as a table; in a pipe a line an image, with tabs, for other programs."""
    if not console.is_terminal:
        for row in (COLUMNS, *table):
            console.print("\t".join(row), markup=False, highlight=False, soft_wrap=True)
        return
    shown = Table(*COLUMNS, header_style="bold", box=None)
    for column in shown.columns[1:]:
        column.justify = "right"
    for row in table:
        shown.add_row(*row)
    console.print(shown)


def section(
    weights: Sequence[Weight], table: Sequence[Sequence[str]], rebuilds: Mapping[str, float], commit: str
) -> str:
    """Markdown."""
    heaviest = max(weights, key=lambda weight: weight.size)
    slowest = max(rebuilds, key=lambda name: rebuilds[name])
    bars = [
        ("measure", "bar", "seen"),
        ("---", "---", "---"),
        (f"size of an image (the largest: {heaviest.image}), bytes", f"≤ {SIZE_BAR:,}", f"{heaviest.size:,}"),
        (
            f"built again after a one-line change, warm cache (the slowest: {slowest}), s",
            f"≤ {REBUILD_BAR:.0f}",
            f"{rebuilds[slowest]:.1f}",
        ),
    ]
    return f"""{HEADING}

Written by `make images` on {datetime.now(UTC):%Y-%m-%d}, of commit {commit}. Size: the unpacked bytes of all files
that a container of the image sees; about 56 MB of them are the base, which all share. (The engine's own figure is that
of packed layers, of unpacked ones or of both, depending on its store.) Ready: from the start of the container,
read-only and with its limits of memory and one core, to its first good probe, PostgreSQL and NATS beside it; the median
of several starts. Memory is the engine's count, at rest. Built again: after a line of the service has changed, by
`docker buildx bake`, with a warm cache, the median too.

{_markdown(bars)}
{_markdown([COLUMNS, ["---"] * len(COLUMNS), *table])}"""


def _markdown(lines: Sequence[Sequence[str]]) -> str:
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)
