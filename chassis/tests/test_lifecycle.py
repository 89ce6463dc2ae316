"""Start and stop: the order, a failing part, and a real process under SIGTERM."""

import asyncio
import signal
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from sample.main import Settings
from sample.waiting import until

from chassis.lifecycle import Lifecycle

APPS = Path(__file__).parent / "apps"


class Recorded:
    """A part that tells when it is started and stopped."""

    def __init__(self, name: str, told: list[str], *, fails: str = "") -> None:
        self.name = name
        self._told = told
        self._fails = fails

    async def start(self) -> None:
        self._told.append(f"start {self.name}")
        if self._fails == "start":
            raise RuntimeError("cannot start")

    async def stop(self) -> None:
        self._told.append(f"stop {self.name}")
        if self._fails == "stop":
            raise RuntimeError("cannot stop")


async def test_parts_start_in_order_and_stop_in_reverse() -> None:
    told: list[str] = []
    lifecycle = Lifecycle([Recorded(name, told) for name in ("telemetry", "database", "bus")])
    async with lifecycle.lifespan(None):
        assert told == ["start telemetry", "start database", "start bus"]
    assert told[3:] == ["stop bus", "stop database", "stop telemetry"]


async def test_a_failing_close_does_not_keep_the_others_open() -> None:
    told: list[str] = []
    first, second, third = Recorded("one", told), Recorded("two", told, fails="stop"), Recorded("three", told)
    async with Lifecycle([first, second, third]).lifespan(None):
        told.clear()
    assert told == ["stop three", "stop two", "stop one"]


async def test_a_failing_start_stops_what_has_started() -> None:
    told: list[str] = []
    parts = [Recorded("one", told), Recorded("two", told, fails="start"), Recorded("three", told)]
    with pytest.raises(RuntimeError):
        async with Lifecycle(parts).lifespan(None):
            pass
    assert told == ["start one", "start two", "stop one"]


async def test_a_drain_is_not_ready_for_a_probe_period_before_it_stops_consuming() -> None:
    told: list[str] = []
    consumer, relay = Recorded("consumer", told), Recorded("relay", told)
    lifecycle = Lifecycle([consumer, relay], consuming=[consumer])
    await lifecycle.start()
    told.clear()
    draining = asyncio.create_task(lifecycle.drain(0.2))
    await until(lambda: lifecycle.draining)
    assert told == [], "consuming goes on while balancers notice"
    await draining
    assert told == ["stop consumer"]
    await lifecycle.stop()
    assert told == ["stop consumer", "stop relay"], "and nothing is stopped twice"


class Process:
    """The sample service as a process of its own."""

    def __init__(self, process: asyncio.subprocess.Process, port: int, log: Path) -> None:
        self.process = process
        self.url = f"http://127.0.0.1:{port}"
        self._log = log

    @property
    def log(self) -> str:
        return self._log.read_text()


@pytest.fixture
async def service(settings: Settings, unused_tcp_port: int, tmp_path: Path) -> AsyncIterator[Process]:
    secrets = {"database_password": settings.database_password, "nats_password": settings.nats_password}
    for name, value in secrets.items():
        assert value is not None
        (tmp_path / name).write_text(value.get_secret_value())
    environment = {
        "PORT": str(unused_tcp_port),
        "DRAIN_SECONDS": "0.5",
        "GRACE_SECONDS": "10",
        "DATABASE_URL": settings.database_url,
        "NATS_URL": settings.nats_url,
        "NATS_USER": settings.nats_user or "",
        "NAMESPACE": settings.namespace,
        "SECRETS_DIR": str(tmp_path),
        "PYTHONPATH": str(APPS),
    }
    log = tmp_path / "log"
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "sample.main", env=environment, cwd=tmp_path, stdout=output, stderr=output
        )
    service = Process(process, unused_tcp_port, log)

    async def ready() -> bool:
        assert process.returncode is None, service.log
        return await _status(f"{service.url}/readyz") == 200

    await until(ready, seconds=20, every=0.05)
    yield service
    if process.returncode is None:
        process.kill()
    await process.wait()


async def _status(url: str) -> int | None:
    try:
        async with httpx.AsyncClient() as client:
            return (await client.get(url)).status_code
    except httpx.TransportError:
        return None


@pytest.mark.parametrize("signal_number", [signal.SIGTERM, signal.SIGINT])
async def test_a_request_in_flight_is_answered_when_the_process_is_told_to_stop(
    service: Process, signal_number: signal.Signals
) -> None:
    async with httpx.AsyncClient(base_url=service.url, timeout=10) as client:
        slow = asyncio.create_task(client.get("/slow?seconds=2"))
        await until(lambda: "slow: begun" in service.log)
        begun = time.monotonic()
        service.process.send_signal(signal_number)

        async def draining() -> bool:
            return await _status(f"{service.url}/readyz") == 503

        await until(draining, seconds=2)
        assert time.monotonic() - begun < 0.9, "not ready at once, while the door is still open"
        assert await _status(f"{service.url}/notes/1") == 404, "and whoever has not noticed yet is served"
        answer = await slow
    assert (answer.status_code, answer.json()) == (200, {"slow": "answered"})
    assert answer.headers["connection"] == "close"
    assert await asyncio.wait_for(service.process.wait(), 5) == 0
    assert "lifecycle.stopped" in service.log
    assert "Traceback" not in service.log


async def test_the_second_signal_changes_nothing(service: Process) -> None:
    service.process.terminate()
    service.process.terminate()
    assert await asyncio.wait_for(service.process.wait(), 10) == 0


async def run(settings: Settings, *command: str, **environment: str) -> tuple[int | None, str]:
    """Run Python with the service's environment to its end; exit code and output."""
    password = settings.database_password.get_secret_value()
    complete = {"PORT": "0", "DATABASE_URL": settings.database_url, "DATABASE_PASSWORD": password}
    complete |= {"NATS_URL": settings.nats_url, "PYTHONPATH": str(APPS), **environment}
    process = await asyncio.create_subprocess_exec(
        sys.executable, *command, env=complete, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    output, _ = await asyncio.wait_for(process.communicate(), 20)
    return process.returncode, output.decode()


async def test_a_port_that_is_taken_is_a_failure(service: Process, settings: Settings) -> None:
    code, output = await run(settings, "-m", "sample.main", PORT=service.url.rsplit(":", 1)[1])
    assert code not in (0, None)
    assert "address already in use" in output


FAILING = """
from sample.main import Settings, create_app
from chassis.lifecycle import serve
from chassis.settings import load

class Failing:
    name = "failing"
    async def start(self): raise RuntimeError("cannot start")
    async def stop(self): ...

settings = load(Settings)
serve(lambda: create_app(settings, parts=[Failing()])[:2], settings)
"""


async def test_a_part_that_cannot_start_fails_the_process(settings: Settings) -> None:
    code, output = await run(settings, "-c", FAILING)
    assert code not in (0, None), "the supervisor has to see it"
    assert "cannot start" in output
    assert "lifecycle.stopped" in output
