"""Build all images from the checkout, measure them, and write the section in docs/benchmarks.md.

make images [WRITE=no]               BAKE_ARGS holds further options of `docker buildx bake`
python -m tests.bench.images --no-build --output /tmp/page.md
"""

import argparse
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from rich.console import Console

from deploy.local.place import ROOT
from deploy.local.programs import BY_NAME
from deploy.local.screen import RunError, Screen
from tests.bench import sections
from tests.bench.images import measure, report
from tests.images import docker
from tests.images.building import Build, BuildError, Commit, asked_for, checked_out
from tests.images.stage import stage
from tests.servers.images import Images

PAGE = ROOT / "docs" / "benchmarks.md"
SERVICES = sorted(BY_NAME)


def main() -> int:
    """Entry point of the command; 1 when it cannot be done or a bar that counts is missed; then nothing is written."""
    parser = argparse.ArgumentParser(prog="make images", description=__doc__, formatter_class=_AS_IT_IS)
    parser.add_argument("--no-build", action="store_true", help="measure the images that are there")
    parser.add_argument("--rounds", type=int, default=3, help="of starts, changes and builds; the median is kept")
    parser.add_argument("--output", type=Path, default=PAGE)
    # A run of CI asks whether the bars hold; its checkout stays as it was.
    writes = not os.environ.get("CI")
    parser.add_argument("--write", action=argparse.BooleanOptionalAction, default=writes, help="not where CI is set")
    arguments = parser.parse_args()
    screen = Screen(Console(highlight=False, soft_wrap=True))
    if not docker.answers():
        screen.say("images: no Docker engine answers; start one, then run this again", style="bold red")
        return 1
    try:
        return _build_and_measure(arguments, screen)
    except (BuildError, RunError) as error:
        screen.say(f"images: {error}; nothing was written", style="bold red")
        return 1


_AS_IT_IS = argparse.RawDescriptionHelpFormatter


def _build_and_measure(arguments: argparse.Namespace, screen: Screen) -> int:
    commit = asked_for() if arguments.no_build else checked_out()
    if not arguments.no_build:
        Build(commit).shown()
    weights, runs, rebuilds = _measure(commit, arguments.rounds, screen)
    table = report.rows(weights, runs, rebuilds)
    report.show(screen.console, table)
    missed, notes = judged(weights, rebuilds, os.environ)
    if notes:
        screen.say(f"images: {'; '.join(notes)}; no failure in CI, whose machines are shared")
    if missed:
        screen.say(f"images: {'; '.join(missed)}; nothing was written", style="bold red")
        return 1
    if not arguments.write:
        screen.say(f"the {'other bars' if notes else 'bars'} hold; nothing was written")
        return 0
    section = report.section(weights, table, rebuilds, commit.sha)
    arguments.output.write_text(sections.put(sections.read(arguments.output), section))
    screen.say(f"written to {arguments.output}")
    return 0


def judged(
    weights: Sequence[measure.Weight], rebuilds: Mapping[str, float], environ: Mapping[str, str]
) -> tuple[list[str], list[str]]:
    """The bars that were missed, and what is only told: of a machine of CI its neighbours take time, but no size."""
    heavy, slow = report.heavy(weights), report.slow(rebuilds)
    return (heavy, slow) if environ.get("CI") else (heavy + slow, [])


def _measure(
    commit: Commit, rounds: int, screen: Screen
) -> tuple[list[measure.Weight], dict[str, measure.Run], dict[str, float]]:
    with screen.step("size, packages") as step:
        weights = [measure.weigh(name, commit) for name in (*SERVICES, "tools")]
        step.detail = f"{len(weights)} images"
    with screen.step("start, memory") as step, stage(commit, Images.named_in(os.environ)) as scene:
        runs = {}
        for number, name in enumerate(SERVICES):
            step.note(name, number, len(SERVICES))
            runs[name] = measure.start(name, scene, rounds)
        step.detail = f"{len(runs)} services"
    with screen.step("building again") as step:
        rebuilds = measure.rebuild(SERVICES, commit, rounds, _noting(step.note))
        step.detail = f"{rounds} changes of each service"
    return weights, runs, rebuilds


def _noting(note: Callable[[str, int, int], None]) -> Callable[[str], None]:
    return lambda name: note(name, SERVICES.index(name), len(SERVICES))


if __name__ == "__main__":
    raise SystemExit(main())
