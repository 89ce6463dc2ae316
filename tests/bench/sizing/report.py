"""The figures as a section of docs/sizing.md."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from tests.bench.sizing.figures import CPU_STEP, HEADROOM, MEMORY_STEP, Figure

HEADING = "## Measured"
CPU_BAR, MEMORY_BAR = 2000, 4096
COLUMNS = (
    *("container", "CPU p50", "p90", "p99", "request, local", "request", "limit"),
    *("memory p50", "p90", "p99", "request", "limit"),
)


@dataclass(frozen=True)
class Load:
    """What the shop was under, and where."""

    rate: float
    seconds: float
    sent: int
    commit: str
    machine: str


def section(figures: Sequence[Figure], sums: tuple[float, float], load: Load) -> str:
    """Markdown."""
    bars = [
        ("sum of all requests, local overlay, one replica each", "bar", "seen"),
        ("---", "---", "---"),
        ("CPU, millicores", f"≤ {CPU_BAR}", f"{sums[0]:.0f}"),
        ("memory, MiB", f"≤ {MEMORY_BAR}", f"{sums[1]:.0f}"),
    ]
    short = [line for figure in figures for line in figure.short()]
    verdict = "Every request and limit keeps to the rule." if not short else "Less than the rule asks for:"
    listed = "".join(f"\n- {line}" for line in short)
    return f"""{HEADING}

Written by `make measure` on {datetime.now(UTC):%Y-%m-%d}, of commit {load.commit}, on {load.machine}.
The load: {load.rate:g} requests a second for {load.seconds:.0f} s ({load.sent} in all, none failed), half of them
customers of the new API and half of the old shop's, with searches, logins and orders as `tests/traffic/steady.py` mixes
them; one replica of each, and each container looked at once a second. CPU in thousandths of a core, memory in MiB;
`request` of CPU is what staging and production ask for; databases and NATS have other sizes there.

{_markdown([COLUMNS, ["---"] * len(COLUMNS), *(_row(figure) for figure in figures)])}
{_markdown(bars)}
{verdict}{listed}
"""


def rule() -> str:
    """How a manifest follows from what was seen; the head of the page."""
    return f"""# Sizing

What each container takes, measured, and what the manifests ask for it.

- **CPU request** = p90, rounded up to {CPU_STEP} m: a node is not sold more often than it can serve. Compose asks a
  container by a process how it is, which is the most that a calm one does; Kubernetes asks by HTTP. In the local
  overlay it is the p50: nobody else is on a laptop, and the p90s in sum would leave its cluster no core to run on.
- **CPU limit** = one core, whatever was measured: a limit that is close to the usual slows down the unusual, first of
  all a start, and that is when a cluster is in a hurry.
- **Memory request** = p90, rounded up to {MEMORY_STEP} MiB.
- **Memory limit** = {HEADROOM:g} × p99, rounded up to {MEMORY_STEP} MiB: past it the kernel kills.

The services share one template, and so its figures: the largest of them decides. Compose has the same limits
(`tests/deploy` compares them). Another machine, or another load, gives other figures: `make measure RATE=… SECONDS=…`.
"""


def _row(figure: Figure) -> tuple[str, ...]:
    cpu, memory, asked = figure.cpu, figure.memory, figure.asked
    elsewhere = figure.elsewhere.cpu_request if figure.elsewhere else None
    values = (
        cpu.p50, cpu.p90, cpu.p99, asked.cpu_request, elsewhere, asked.cpu_limit,
        memory.p50, memory.p90, memory.p99, asked.memory_request, asked.memory_limit,
    )  # fmt: skip
    return (figure.name, *("-" if value is None else f"{value:.0f}" for value in values))


def _markdown(lines: Sequence[Sequence[str]]) -> str:
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)
