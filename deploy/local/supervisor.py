"""Supervisor at work: start the daemon, ask it by XML-RPC, stop programs in order, find what it left."""

import http.client
import os
import signal
import subprocess
import time
import xmlrpc.client
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from deploy.local import supervisor_config as config
from deploy.local.place import Place
from deploy.local.programs import BY_NAME, STOP_SECONDS
from deploy.local.screen import RunError

# States of Supervisor in which a program needs no stop.
AT_REST = frozenset({"STOPPED", "EXITED", "FATAL", "UNKNOWN"})


@dataclass(frozen=True)
class Process:
    """One program as Supervisor sees it."""

    name: str
    state: str
    pid: int
    uptime: float
    group: str

    @property
    def full_name(self) -> str:
        return f"{self.group}:{self.name}"


class _TimedTransport(xmlrpc.client.Transport):
    """Without a limit a hung daemon would hang every command with it."""

    def make_connection(self, host: Any) -> http.client.HTTPConnection:
        connection = super().make_connection(host)
        connection.timeout = 60
        return connection


class Supervisor:
    """The daemon of one run."""

    def __init__(self, place: Place) -> None:
        self.place = place

    def start(self) -> None:
        """Write the configuration and start the daemon; no program of it runs yet."""
        path = self.place.run / "supervisord.conf"
        path.touch(mode=0o600)
        path.write_text(config.render(self.place))
        # A clean environment: nothing of the caller's shell reaches a service.
        environment = {"PATH": os.defpath, "HOME": str(Path.home()), "LANG": "C.UTF-8"}
        result = subprocess.run(
            config.supervisord_command(path), env=environment, capture_output=True, text=True, check=False
        )
        if result.returncode != 0:
            raise RunError(f"Supervisor did not start:\n{result.stdout}{result.stderr}".rstrip())
        wait_until(self.running, 10, "Supervisor does not answer")

    def running(self) -> bool:
        """Whether this run's own daemon answers."""
        try:
            return bool(self._call("getIdentification") == str(self.place.home))
        except (OSError, xmlrpc.client.Error, http.client.HTTPException):
            return False

    def processes(self) -> list[Process]:
        """All programs in the order of the start."""
        found = [
            Process(
                name=entry["name"],
                state=entry["statename"],
                pid=entry["pid"],
                uptime=float(entry["now"] - entry["start"]) if entry["pid"] else 0.0,
                group=entry["group"],
            )
            for entry in self._call("getAllProcessInfo")
        ]
        order = [name for members in config.GROUPS.values() for name in members]
        return sorted(found, key=lambda process: order.index(process.name))

    def process(self, name: str) -> Process:
        return next(process for process in self.processes() if process.name == name)

    def start_group(self, group: str) -> None:
        """Start what does not run of a group, and do not wait for it."""
        for process in self.processes():
            if process.group == group and process.state in AT_REST:
                self._call("startProcess", process.full_name, False)

    def restart(self, name: str, seconds: float = STOP_SECONDS + 10) -> None:
        """Stop one program gracefully and start it again."""
        self.stop_program(name, seconds)
        self.start_program(name)

    def start_program(self, name: str) -> None:
        """Start one program unless it runs, and do not wait for it."""
        process = self.process(name)
        if process.state in AT_REST:
            self._call("startProcess", process.full_name, False)

    def stop_program(self, name: str, seconds: float = STOP_SECONDS + 10) -> None:
        """Stop one program gracefully, and wait until it has ended."""
        process = self.process(name)
        if process.state not in AT_REST:
            self._call("stopProcess", process.full_name, False)
            wait_until(lambda: self.process(name).state in AT_REST, seconds, f"{name} does not stop")

    def stop_group(self, group: str, seconds: float = STOP_SECONDS + 10) -> None:
        """Stop all programs of a group at the same time, and wait for the last."""
        members = [process for process in self.processes() if process.group == group]
        for process in members:
            if process.state not in AT_REST:
                self._call("stopProcess", process.full_name, False)

        def at_rest() -> bool:
            return all(now.state in AT_REST for now in self.processes() if now.group == group)

        wait_until(at_rest, seconds, f"{group}: not all of them stopped")

    def shut_down(self) -> None:
        """End the daemon itself."""
        pid = self._call("getPID")
        self._call("shutdown")
        wait_until(lambda: not psutil.pid_exists(pid), STOP_SECONDS + 10, "Supervisor does not end")

    def _call(self, method: str, *arguments: object) -> Any:
        password = self.place.secret("supervisor", "password")
        door = f"http://{config.USER}:{password}@127.0.0.1:{self.place.ports.of('supervisor')}/RPC2"
        # A connection a call: the daemon may have been replaced since the last one.
        with xmlrpc.client.ServerProxy(door, transport=_TimedTransport(), allow_none=True) as proxy:
            return getattr(proxy.supervisor, method)(*arguments)


def wait_until(reached: Callable[[], bool], seconds: float, otherwise: str) -> None:
    """Poll until `reached`, or raise RunError with the text."""
    limit = time.monotonic() + seconds
    while not reached():
        if time.monotonic() > limit:
            raise RunError(f"{otherwise} within {seconds:.0f} s")
        time.sleep(0.1)


def leftovers(place: Place) -> list[psutil.Process]:
    """Processes of this run that no daemon of ours looks after: its own was killed, or the folder has moved.

    They are known by two marks together, what they run and the folder that they run in, so that a shell which
    somebody has opened there is none of them. Supervisor comes first: it would restart the others.
    """
    found = [process for process in psutil.process_iter(["cmdline", "cwd"]) if _belongs(process, place)]
    return sorted(found, key=lambda process: "supervisor.supervisord" not in process.info["cmdline"])


def _belongs(process: psutil.Process, place: Place) -> bool:
    command = process.info["cmdline"] or []
    folder = process.info["cwd"] or ""
    if not command or not (folder == str(place.home) or folder.startswith(f"{place.home}/")):
        return False
    modules = {"supervisor.supervisord", *(f"{name}.main" for name in BY_NAME)}
    return Path(command[0]).name in ("postgres", "nats-server") or not modules.isdisjoint(command)


def end(processes: Iterable[psutil.Process], seconds: float = 40) -> None:
    """End processes one after the other: ask, wait, and kill what does not listen."""
    for process in processes:
        try:
            # At TERM PostgreSQL waits for its clients, INT is its fast shutdown.
            is_postgres = Path(process.info["cmdline"][0]).name == "postgres"
            process.send_signal(signal.SIGINT if is_postgres else signal.SIGTERM)
            process.wait(seconds)
        except psutil.TimeoutExpired:
            process.kill()
        except psutil.NoSuchProcess:
            continue
