"""What the story does besides asking the facade: snapshot, traffic, the books, and the old shop's switch."""

import asyncio
import signal
import sys
from dataclasses import dataclass
from typing import Any, Protocol

import orjson

from deploy.compose import project
from deploy.local.migration import in_containers
from deploy.local.place import ROOT, Place
from deploy.local.readiness import wait_ready
from deploy.local.screen import RunError, Step
from deploy.local.supervisor import Supervisor


@dataclass
class Traffic:
    """Customers of both shops, each request sent once, from `start` to `stop`."""

    url: str
    rate: float
    _process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Returns when customers are there and requests flow; raises `RunError` when they cannot even begin."""
        command = ("-m", "tests.traffic.steady", "--client", "both", "--json", "--seconds", "7200")
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            *command,
            *("--rate", f"{self.rate:g}", "--url", self.url),
            cwd=ROOT,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        assert self._process.stderr is not None
        line = await self._process.stderr.readline()
        if line.strip() != b"steady: begun":
            rest = line + await self._process.stderr.read()
            last = rest.decode(errors="replace").strip().splitlines()[-1:] or ["no reason given"]
            raise RunError(f"the customers could not begin: {last[0]}", "make status")

    async def stop(self) -> dict[str, Any]:
        """What became of all requests; nothing where none was begun. Raises `RunError`."""
        if self._process is None:
            return {}
        process, self._process = self._process, None
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
        out, _ = await process.communicate()
        if not out.strip():
            raise RunError(f"the customers' program ended early, with code {process.returncode}")
        figures: dict[str, Any] = orjson.loads(out)
        return figures


class Hands(Protocol):
    """What differs between the ways of running the shop."""

    @property
    def url(self) -> str: ...

    @property
    def operator_password(self) -> str: ...

    async def snapshot(self) -> None:
        """Copy what the old shop has; its progress goes to the terminal."""

    async def verify(self) -> bool:
        """Whether the books balance, over both shops."""

    async def switch_legacy(self, on: bool) -> None:
        """Start or stop the old shop, and wait until it is so."""


@dataclass(frozen=True)
class LocalHands:
    """The run of `make up`."""

    place: Place

    @property
    def url(self) -> str:
        return self.place.ports.url("gateway")

    @property
    def operator_password(self) -> str:
        if not Supervisor(self.place).running():
            raise RunError("Banyan is not running here", "make up")
        return self.place.secret("identity", "operator_password")

    async def snapshot(self) -> None:
        await _command(
            "snapshot", sys.executable, "-m", "deploy.local", "run", "bridge", "-m", "bridge.snapshot", "--restart"
        )

    async def verify(self) -> bool:
        process = await asyncio.create_subprocess_exec(sys.executable, "-m", "tests.invariants", cwd=ROOT)
        return await process.wait() == 0

    async def switch_legacy(self, on: bool) -> None:
        supervisor = Supervisor(self.place)
        await asyncio.to_thread(supervisor.start_program if on else supervisor.stop_program, "legacy")
        if on:
            await asyncio.to_thread(wait_ready, self.place, supervisor, ("legacy",), Step("old shop"))


class ComposeHands:
    """The project that the environment names; `banyan` where it names none."""

    def __init__(self) -> None:
        self.url, self.operator_password = in_containers()

    async def snapshot(self) -> None:
        await _command("snapshot", "docker", *project.one_off_command("snapshot", "--restart"))

    async def verify(self) -> bool:
        process = await asyncio.create_subprocess_exec("docker", *project.one_off_command("verify"), cwd=ROOT)
        return await process.wait() == 0

    async def switch_legacy(self, on: bool) -> None:
        # Not its pod: that holds the network, and Envoy would have to come up again with it.
        await asyncio.to_thread(project.compose, "start" if on else "stop", "legacy")
        if on:
            await asyncio.to_thread(project.container("legacy").wait_healthy)


async def _command(title: str, *command: str) -> None:
    process = await asyncio.create_subprocess_exec(*command, cwd=ROOT)
    if (code := await process.wait()) != 0:
        raise RunError(f"the {title} ended with code {code}")
