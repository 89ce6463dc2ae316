"""The other commands: down, status, logs, restart, clean, replay, and Python in a service's environment."""

import os
import shutil
import sys
from argparse import Namespace
from collections.abc import Mapping
from typing import NoReturn

import psutil
from rich.table import Table

from deploy.local import supervisor_config
from deploy.local.place import Place
from deploy.local.programs import BY_NAME, PROGRAMS, SERVICES
from deploy.local.readiness import ready_all, wait_ready
from deploy.local.screen import RunError, Screen
from deploy.local.supervisor import Process, Supervisor, end, leftovers


def down(place: Place, screen: Screen) -> None:
    """Stop gracefully: the entrance first, then the services, then what they stand on."""
    if not _stop(place, screen):
        screen.say("Banyan is not running.")


def _stop(place: Place, screen: Screen) -> bool:
    supervisor = Supervisor(place)
    if supervisor.running():
        for group in reversed(list(supervisor_config.GROUPS)):
            with screen.step(f"stop the {group}") as step:
                supervisor.stop_group(group)
                step.detail = ", ".join(supervisor_config.GROUPS[group])
        supervisor.shut_down()
        return True
    left = leftovers(place)
    if left:
        with screen.step("stop leftovers") as step:
            end(left)
            step.detail = f"{len(left)} processes whose Supervisor was gone"
    return bool(left)


def clean(place: Place, screen: Screen) -> None:
    """Stop, then delete all that the run has made: databases, messages, logs and secrets."""
    _stop(place, screen)
    made = (place.data, place.logs, place.run, place.secrets, place.operator_file)
    gone = [path for path in made if path.exists()]
    for path in gone:
        screen.say(f"  deleting {path}")
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    if not gone:
        screen.say("  nothing to delete")


def status(place: Place, screen: Screen) -> int:
    """A table of the processes; 0 when all of them are ready, else 1."""
    supervisor = Supervisor(place)
    if not supervisor.running():
        raise RunError("Banyan is not running", "make up")
    processes = supervisor.processes()
    answers = ready_all(place, processes)
    table = Table("process", "port", "state", "pid", "uptime", "ready", _memory_name(), box=None, pad_edge=False)
    for process in processes:
        ready = "[green]yes[/]" if answers[process.name] else "[red]no[/]"
        port = str(place.ports.of(process.name))
        table.add_row(process.name, port, process.state.lower(), *_figures(process, ready))
    screen.console.print(table)
    return 0 if all(answers.values()) else 1


def _figures(process: Process, ready: str) -> tuple[str, str, str, str]:
    if not process.pid:
        return "-", "-", ready, "-"
    return str(process.pid), _duration(process.uptime), ready, _memory(process.pid)


def _memory_name() -> str:
    return "memory (PSS)" if psutil.LINUX else "memory (RSS)"


def _memory(pid: int) -> str:
    """Of a process and its children; on Linux a shared page is divided among those who share it."""
    try:
        root = psutil.Process(pid)
        total = sum(_size(process) for process in (root, *root.children(recursive=True)))
    except psutil.Error:
        return "-"
    return f"{total / 1024**2:.0f} MiB"


def _size(process: psutil.Process) -> int:
    return int(process.memory_full_info().pss if psutil.LINUX else process.memory_info().rss)


def _duration(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h {minutes:02}m" if hours else f"{minutes}m {rest:02}s" if minutes else f"{rest}s"


def restart(options: Namespace, place: Place, screen: Screen) -> None:
    """Stop one program gracefully, start it, and wait until it is ready."""
    name: str = options.service
    _refuse_unknown(name)
    supervisor = Supervisor(place)
    if not supervisor.running():
        raise RunError("Banyan is not running", "make up")
    with screen.step(f"restart {name}") as step:
        supervisor.restart(name)
        wait_ready(place, supervisor, (name,), step)
        step.detail = f"ready, pid {supervisor.process(name).pid}"


def logs(options: Namespace, place: Place, _: Screen) -> NoReturn:
    """Follow one program's log until interrupted."""
    name: str = options.service
    _refuse_unknown(name)
    path = place.log(name)
    if not path.exists():
        raise RunError(f"{path} does not exist: {name} has not run yet", "make up")
    sys.stdout.flush()
    os.execvp("tail", ["tail", "-n", str(options.lines), "-F", str(path)])  # noqa: S606 (no shell, a fixed program)


def run(options: Namespace, place: Place, _: Screen) -> NoReturn:
    """Become Python with these arguments in the environment of a service: its addresses and its secrets."""
    name: str = options.service
    if name not in BY_NAME:
        raise RunError(f"there is no service {name!r}", f"SERVICE= one of {', '.join(BY_NAME)}")
    _become_python(options.arguments, BY_NAME[name].environment(place))


def replay(options: Namespace, place: Place, _: Screen) -> NoReturn:
    """Put the dead letters of one consumer back on the stream, as a user who may speak for all services."""
    consumer: str = options.service
    if consumer not in BY_NAME or not BY_NAME[consumer].bus:
        consumers = [service.name for service in SERVICES if service.bus]
        raise RunError(f"{consumer!r} consumes no messages", f"SERVICE= one of {', '.join(consumers)}")
    if not Supervisor(place).running():
        raise RunError("Banyan is not running", "make up")
    environment = {"NATS_URL": place.ports.url("nats", "nats"), "NATS_USER": "replay"}
    environment["SECRETS_DIR"] = str(place.secrets / "replay")
    _become_python(["-m", "chassis.replay", consumer], environment)


def _become_python(arguments: list[str], environment: Mapping[str, str]) -> NoReturn:
    sys.stdout.flush()
    os.execve(sys.executable, [sys.executable, *arguments], {"PATH": os.defpath, **environment})  # noqa: S606


def _refuse_unknown(name: str) -> None:
    if name not in PROGRAMS:
        raise RunError(f"there is no process {name!r}", f"SERVICE= one of {', '.join(PROGRAMS)}")
