"""Who is ready: each service by its own page, the servers by what they say of themselves."""

import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from deploy.local import servers
from deploy.local.place import Place
from deploy.local.programs import BY_NAME
from deploy.local.screen import RunError, Step
from deploy.local.supervisor import Process, Supervisor

LOG_LINES = 12
CRASHING_SECONDS = 10.0


def ready(place: Place, process: Process) -> bool:
    """Whether this program may take traffic."""
    if process.state != "RUNNING" and process.state != "STARTING":
        return False
    if process.name == "postgres":
        return servers.postgres_ready(place.data / "postgres", process.pid)
    if process.name == "nats":
        return servers.nats_ready(place.ports.of("nats"))
    return _answers_ok(f"{place.ports.url(process.name)}{BY_NAME[process.name].ready}")


def ready_all(place: Place, processes: Sequence[Process]) -> dict[str, bool]:
    """All of them at the same time, since one that hangs takes its two seconds."""
    with ThreadPoolExecutor(len(processes) or 1) as pool:
        answers = pool.map(lambda process: ready(place, process), processes)
        return dict(zip((process.name for process in processes), answers, strict=True))


def wait_ready(
    place: Place,
    supervisor: Supervisor,
    names: Sequence[str],
    step: Step,
    seconds: float = 60,
    clock: Callable[[], float] = time.monotonic,
) -> None:
    """Wait until all of `names` are ready; a RunError shows the logs of those that are not."""
    limit = clock() + seconds
    while True:
        # Supervisor tries again for minutes; whoever looks on wants to hear of it after a few tries.
        hopeless = {"FATAL", "BACKOFF"} if limit - clock() < seconds - CRASHING_SECONDS else {"FATAL"}
        processes = [process for process in supervisor.processes() if process.name in names]
        waiting = [name for name, good in ready_all(place, processes).items() if not good]
        if not waiting:
            return
        step.note(f"waiting for {', '.join(waiting)}", len(names) - len(waiting), len(names))
        if failed := [process.name for process in processes if process.state in hopeless]:
            _give_up(place, failed, "ends as soon as it is started")
        if clock() > limit:
            _give_up(place, waiting, f"not ready after {seconds:.0f} s")
        time.sleep(0.1)


def _give_up(place: Place, names: Sequence[str], what: str) -> None:
    endings = [f"--- the end of {place.log(name)}\n{log_ending(place, name)}" for name in names]
    raise RunError(f"{', '.join(names)}: {what}\n" + "\n".join(endings), "make status shows the rest")


def log_ending(place: Place, name: str, lines: int = LOG_LINES) -> str:
    """The last lines that a program wrote."""
    try:
        return "\n".join(place.log(name).read_text(errors="replace").splitlines()[-lines:])
    except OSError:
        return "(no log)"


def _answers_ok(url: str) -> bool:
    try:
        # Past any proxy that the environment names: this is our own machine.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(url, timeout=2) as answer:
            return bool(answer.status == 200)
    except (OSError, ValueError):
        return False
