"""Put the running shop in containers under a steady load, and write what it took into docs/sizing.md.

make measure [RATE=10 SECONDS=180]     the shop: docker compose up --detach --wait
python -m tests.bench.sizing --no-write --seconds 30
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from deploy.compose import project
from deploy.local.place import ROOT
from deploy.local.screen import RunError, Screen, Step
from tests.bench import sections
from tests.bench.sizing import figures, report
from tests.bench.sizing.sampling import Sample, Samples, sampling
from tests.deploy.manifests import Manifests
from tests.deploy.rendering import RenderError, copy_of_deploy, kustomize

PAGE = ROOT / "docs" / "sizing.md"
# Held by a process that does nothing, as Kubernetes holds a pod: no container of a manifest.
PAUSE = "legacy-pod"
CALLED = {"legacy-envoy": "envoy"}
REVISION = "org.opencontainers.image.revision"
BEGIN_SECONDS = 60.0
# Of the seconds: on a machine that is too busy to be looked at, figures say nothing.
ENOUGH = 0.8


def main() -> int:
    """Entry point of the command; 1 when it cannot be measured or a request failed, and then nothing is written."""
    parser = argparse.ArgumentParser(prog="make measure", description=__doc__)
    parser.add_argument("--rate", type=float, default=10, help="requests a second")
    parser.add_argument("--seconds", type=float, default=180)
    parser.add_argument("--output", type=Path, default=PAGE)
    parser.add_argument("--write", action=argparse.BooleanOptionalAction, default=True)
    options = parser.parse_args()
    os.environ.setdefault("COMPOSE_PROJECT_NAME", "banyan")
    screen = Screen()
    try:
        page = measured(options.rate, options.seconds, screen)
    except (RunError, RenderError) as error:
        screen.say(f"✗ {error}; nothing was written", style="bold red")
        return 1
    except KeyboardInterrupt:
        return 130
    screen.say(page)
    if options.write:
        head = report.rule() if not options.output.exists() else sections.read(options.output)
        options.output.write_text(sections.put(head, page))
        screen.say(f"written to {options.output}")
    return 0


def measured(rate: float, seconds: float, screen: Screen) -> str:
    """The section of the page."""
    with screen.step("manifests"), tempfile.TemporaryDirectory(prefix="banyan-") as folder:
        deploy = copy_of_deploy(Path(folder))
        local = Manifests("local", kustomize(deploy / "overlays" / "local"))
        services = Manifests("services", kustomize(deploy / "services"))
    running = containers()
    with screen.step("load") as step:
        samples, answered = _under_load(running, rate, seconds, step)
        step.detail = f"{answered['sent']} requests, {answered['failed']} failed, {len(running)} containers"
    if answered["failed"]:
        raise RunError(f"{answered['failed']} requests failed: {answered['why']}")
    found = figures.figures(by_program(samples, running, seconds), local, services)
    about = report.Load(rate, answered["seconds"], answered["sent"], commit_of(_of(running, "gateway")), machine())
    return report.section(found, figures.requested(local), about)


def containers() -> Mapping[str, str]:
    """The program of each running container of the project, by the container's name."""
    told = project.docker(
        "ps", "--format", f'{{{{.Names}}}} {{{{.Label "{project.LABEL}.service"}}}}',
        "--filter", f"label={project.LABEL}.project={project.project_name()}",
        "--filter", f"label={project.LABEL}.oneoff=False",
    )  # fmt: skip
    named = dict(line.split() for line in told.splitlines())
    known = set(project.RUNNING) | set(CALLED)
    found = {name: CALLED.get(service, service) for name, service in named.items() if service in known - {PAUSE}}
    if absent := known - {PAUSE} - set(named.values()):
        raise RunError(f"not running in the project {project.project_name()}: {', '.join(sorted(absent))}")
    return found


def _of(running: Mapping[str, str], program: str) -> str:
    return next(name for name, each in running.items() if each == program)


def commit_of(container: str) -> str:
    """What its image was built from, which need not be what the checkout stands at."""
    return project.docker("inspect", "--format", f'{{{{index .Config.Labels "{REVISION}"}}}}', container).strip()


def _under_load(
    running: Mapping[str, str], rate: float, seconds: float, step: Step
) -> tuple[Samples, Mapping[str, Any]]:
    url = project.url()
    command = (sys.executable, "-m", "tests.traffic.steady", "--client", "both", "--json", f"--url={url}")
    with subprocess.Popen(
        [*command, f"--rate={rate}", f"--seconds={seconds}"],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as load:  # fmt: skip
        try:
            _wait_for_begin(load)
            with sampling(list(running)) as samples:
                _watch(load, seconds, step)
            out, _ = load.communicate(timeout=BEGIN_SECONDS)
        finally:
            load.kill()
    try:
        return samples, json.loads(out)
    except ValueError:
        raise RunError(f"the load ended with {load.returncode} and no figures") from None


def _wait_for_begin(load: "subprocess.Popen[str]") -> None:
    """Customers have to be registered first, and that is not what is measured."""
    assert load.stderr is not None
    told = []
    for line in load.stderr:
        if line.startswith("steady: begun"):
            return
        told.append(line)
    raise RunError(f"the load did not begin: {''.join(told[-5:])}")


def _watch(load: "subprocess.Popen[str]", seconds: float, step: Step) -> None:
    begun = time.monotonic()
    while load.poll() is None and (passed := time.monotonic() - begun) < seconds:
        step.note("under way", int(passed), int(seconds))
        time.sleep(0.2)


def by_program(
    samples: Mapping[str, Sequence[Sample]], running: Mapping[str, str], seconds: float
) -> dict[str, list[Sample]]:
    """Those of its replicas together. Raises `RunError` where too few were seen."""
    found: dict[str, list[Sample]] = defaultdict(list)
    for name, program in running.items():
        # Of CPU the first one says nothing: it is a difference, and there is nothing before it.
        taken = list(samples.get(name, []))[1:]
        if len(taken) < ENOUGH * seconds:
            raise RunError(f"{name} was seen in {len(taken)} of {seconds:.0f} seconds only: is the machine too busy?")
        found[program].extend(taken)
    return found


def machine() -> str:
    """In the words of docs/benchmarks.md."""
    return f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}"


if __name__ == "__main__":
    sys.exit(main())
