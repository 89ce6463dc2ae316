"""Supervisor's configuration, rendered from the table of programs."""

import hashlib
import os
import resource
import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from deploy.local import servers
from deploy.local.place import Place
from deploy.local.programs import SERVERS, SERVICES, STOP_SECONDS

USER = "banyan"

# Supervisor stops the last group first: the entrance, then what is behind it, then what they all stand on.
GROUPS: Mapping[str, Sequence[str]] = {
    "servers": SERVERS,
    "services": tuple(service.name for service in SERVICES if service.name != "gateway"),
    "entrance": ("gateway",),
}


@dataclass(frozen=True)
class Program:
    """What Supervisor has to know of one process."""

    name: str
    command: Sequence[str]
    stop_signal: str
    stop_seconds: int
    environment: Mapping[str, str] = field(default_factory=dict)
    account: str | None = None


def programs(place: Place) -> list[Program]:
    """Every process of the run, the servers first."""
    postgres, nats = place.data / "postgres", place.run / "nats.conf"
    return [
        Program(
            "postgres",
            servers.postgres_command(postgres, place.ports.of("postgres")),
            # Fast shutdown: clients are dropped, everything is written. TERM would wait for the clients.
            stop_signal="INT",
            stop_seconds=30,
            environment={"LC_ALL": "C"},
            account=servers.postgres_account(postgres),
        ),
        Program("nats", servers.nats_command(nats), stop_signal="TERM", stop_seconds=30),
        *(
            Program(
                service.name,
                [sys.executable, "-P", "-m", f"{service.name}.main"],
                stop_signal="TERM",
                stop_seconds=STOP_SECONDS,
                environment={"PYTHONUNBUFFERED": "1", **service.environment(place)},
            )
            for service in SERVICES
        ),
    ]


def render(place: Place) -> str:
    """The whole file."""
    sections = [_daemon(place), *(_program(place, program) for program in programs(place))]
    for priority, (group, members) in enumerate(GROUPS.items(), start=1):
        lines = {"programs": ",".join(members), "priority": str(priority)}
        sections.append(_section(f"group:{group}", lines))
    return "\n".join(sections)


def _daemon(place: Place) -> str:
    password = hashlib.sha1(place.secret("supervisor", "password").encode(), usedforsecurity=False).hexdigest()
    daemon = {
        "logfile": str(place.log("supervisord")),
        "logfile_maxbytes": "1MB",
        "logfile_backups": "1",
        "pidfile": str(place.run / "supervisord.pid"),
        "directory": str(place.run),
        "childlogdir": str(place.logs),
        # How a later command recognises that this daemon is its own, and that the folder has not moved.
        "identifier": str(place.home),
        "umask": "077",
        "minfds": str(_open_files()),
        **({"user": "root"} if os.geteuid() == 0 else {}),
    }
    door = {
        "port": f"{servers.LOOPBACK}:{place.ports.of('supervisor')}",
        "username": USER,
        "password": f"{{SHA}}{password}",
    }
    calls = {"supervisor.rpcinterface_factory": "supervisor.rpcinterface:make_main_rpcinterface"}
    return "\n".join(
        (
            _section("supervisord", daemon),
            # By TCP, not by a Unix socket: the path of a checkout may be longer than a socket's name may be.
            _section("inet_http_server", door),
            _section("rpcinterface:supervisor", calls),
        )
    )


def _open_files(wanted: int = 4096) -> int:
    """What the soft limit is raised to: a shell's own may be 256 (macOS), which is a few connections."""
    allowed = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    return wanted if allowed == resource.RLIM_INFINITY else min(wanted, allowed)


def _program(place: Place, program: Program) -> str:
    environment = ",".join(f'{name}="{value}"' for name, value in program.environment.items())
    return _section(
        f"program:{program.name}",
        {
            "command": shlex.join(program.command),
            # PostgreSQL goes to its own folder by itself, and another account may not enter ours.
            "directory": "/" if program.account else str(place.run),
            "environment": environment,
            # The order of the start is decided by the one who has made the databases.
            "autostart": "false",
            "autorestart": "true",
            "startsecs": "1",
            "startretries": "30",
            "stopsignal": program.stop_signal,
            "stopwaitsecs": str(program.stop_seconds),
            "stopasgroup": "false",
            "killasgroup": "true",
            "stdout_logfile": str(place.log(program.name)),
            "stdout_logfile_maxbytes": "10MB",
            "stdout_logfile_backups": "3",
            "redirect_stderr": "true",
            **({"user": program.account} if program.account else {}),
        },
    )


def _section(name: str, values: Mapping[str, str]) -> str:
    lines = [f"{key} = {_escape(value)}" for key, value in values.items()]
    return "\n".join((f"[{name}]", *lines, ""))


def _escape(value: str) -> str:
    # Supervisor expands %(name)s everywhere, and takes what follows " ;" for a comment.
    return value.replace("%", "%%")


def supervisord_command(config: Path) -> list[str]:
    """The command that starts the daemon. By module: a script's first line goes stale when a folder moves."""
    return [sys.executable, "-P", "-m", "supervisor.supervisord", "-c", str(config)]
