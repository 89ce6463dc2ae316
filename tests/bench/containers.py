"""What the shop costs in containers: `python -m tests.bench.containers` runs the trial and writes its figures down.

Beside the trial itself (`make system TARGET=compose`) it holds no measurement of its own.
"""

import json
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from deploy.compose import trial
from deploy.local.place import ROOT
from deploy.local.programs import commit
from tests.bench import sections

PAGE = ROOT / "docs" / "benchmarks.md"


def main() -> int:
    """Entry point of the command; writes nothing when something failed."""
    code = trial.main()
    if code == 0:
        home = ROOT / trial.HOME
        figures = json.loads((home / trial.FIGURES).read_text())
        rolling = json.loads((home / "logs" / "rolling.json").read_text())
        PAGE.write_text(sections.put(sections.read(PAGE), section(figures, rolling)))
    return code


def section(figures: Mapping[str, float], rolling: Mapping[str, Any]) -> str:
    """The part of the page."""
    times = rolling["latency"]["all"]
    failed = sum(count for *_, count in rolling["services"])
    rows = [
        ("all healthy, images built, s", f"≤ {trial.SECONDS_BAR}", f"{figures['seconds to healthy']:.1f}"),
        (
            f"memory at rest of the {figures['containers']:.0f} containers, MiB",
            f"≤ {trial.MEMORY_BAR}",
            f"{figures['memory at rest']:.0f}",
        ),
        ("failed requests, each service restarted replica by replica, 50 requests/s", "0", str(failed)),
        ("invariants violated after that, and after `docker kill` of each container in traffic", "0", "0"),
    ]
    return f"""\
## In containers

Written by `python -m tests.bench.containers` on {datetime.now(UTC):%Y-%m-%d}, of commit {commit()}: the trial of
`make system TARGET=compose`, which fails when one of these is missed.

{_table(("measure", "bar", "seen"), rows)}

Two replicas of everything, restarted one after the other with SIGTERM; the load is open, from inside the network, and
never sends a request again that was sent. Median {1000 * times["p50"]:.0f} ms, p99 {1000 * times["p99"]:.0f} ms.

{
        _table(
            ("restarted", "seconds", "requests meanwhile", "failed"),
            [(name, f"{seconds:.1f}", str(sent), str(lost)) for name, seconds, sent, lost in rolling["services"]],
        )
    }
"""


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *rows))


if __name__ == "__main__":
    sys.exit(main())
