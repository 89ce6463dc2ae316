"""The gateway as a process: it drains at SIGTERM without losing a request, and says clearly why it cannot start."""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from typing import Protocol

import pytest

from services.gateway.tests.fakes import OK, Answer, Received, Upstream, Wire, eventually, request


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Spawn(Protocol):
    """Starts a gateway with these settings besides."""

    async def __call__(self, upstream_port: int, port: int, **overrides: str) -> asyncio.subprocess.Process: ...


async def start(upstream_port: int, port: int, **overrides: str) -> asyncio.subprocess.Process:
    url = f"http://127.0.0.1:{upstream_port}"
    names = ("IDENTITY", "CATALOG", "INVENTORY", "ORDERS", "PAYMENTS", "FACADE")
    environment = {
        "PATH": os.environ["PATH"],
        "PORT": str(port),
        "JWKS_URL": url,
        "DRAIN_SECONDS": "0.5",
        **{f"UPSTREAM_{name}": url for name in names},
        **overrides,
    }
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "gateway.main",
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def connect(port: int) -> Wire:
    async with asyncio.timeout(10):
        while True:
            try:
                return Wire(*await asyncio.open_connection("127.0.0.1", port))
            except ConnectionError:
                await asyncio.sleep(0.05)


async def ask(port: int, path: str) -> Answer:
    wire = await connect(port)
    wire.send(request(path))
    answer = await wire.answer()
    wire.writer.close()
    return answer


async def probe(port: int) -> tuple[int | None, str]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "chassis.probe"), env={"PORT": str(port)}, stderr=asyncio.subprocess.PIPE
    )
    _, told = await process.communicate()
    return process.returncode, told.decode()


async def closed(port: int) -> None:
    """Wait until no new connection is accepted."""
    async with asyncio.timeout(5):
        while True:
            try:
                (await asyncio.open_connection("127.0.0.1", port))[1].close()
            except ConnectionError:
                return
            await asyncio.sleep(0.02)


@pytest.fixture
async def spawn() -> AsyncIterator[Spawn]:
    running: list[asyncio.subprocess.Process] = []

    async def run(upstream_port: int, port: int, **overrides: str) -> asyncio.subprocess.Process:
        running.append(await start(upstream_port, port, **overrides))
        return running[-1]

    yield run
    for process in running:
        if process.returncode is None:
            process.kill()
        await process.wait()


@pytest.fixture
async def upstream() -> AsyncIterator[Upstream]:
    made = Upstream()
    await made.start()
    yield made
    await made.stop()


async def test_requests_in_flight_at_sigterm_all_succeed(spawn: Spawn, upstream: Upstream) -> None:
    answer_now = asyncio.Event()

    async def hold(_: Upstream, __: Received, ___: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await answer_now.wait()
        writer.write(OK)

    upstream.script = hold
    port = free_port()
    process = await spawn(upstream.port, port)
    wires = [await connect(port) for _ in range(20)]
    for wire in wires:
        wire.send(request("/api/catalog/books"))
    await eventually(lambda: len(upstream.received) == 20)
    process.send_signal(signal.SIGTERM)
    draining = False
    while not draining:
        draining = (await ask(port, "/readyz")).status == 503
    during_probe_period = await connect(port)
    during_probe_period.send(request("/api/catalog/books"))
    await eventually(lambda: len(upstream.received) == 21)
    await closed(port)
    answer_now.set()
    answers = [await wire.answer() for wire in [*wires, during_probe_period]]
    assert [answer.status for answer in answers] == [200] * 21
    assert all(answer.headers[b"connection"] == b"close" for answer in answers)
    async with asyncio.timeout(5):
        assert await process.wait() == 0


async def test_the_probe_of_an_image_tells_that_the_gateway_drains(spawn: Spawn, upstream: Upstream) -> None:
    port = free_port()
    process = await spawn(upstream.port, port, HOST="0.0.0.0", DRAIN_SECONDS="30")  # noqa: S104
    (await connect(port)).writer.close()
    assert await probe(port) == (0, "")
    process.send_signal(signal.SIGTERM)
    async with asyncio.timeout(20):
        while await probe(port) != (1, "draining\n"):
            pass


async def test_a_running_gateway_tells_its_breakers_and_its_own_use_of_the_machine(
    spawn: Spawn, upstream: Upstream
) -> None:
    port = free_port()
    await spawn(upstream.port, port)
    metrics = (await ask(port, "/metrics")).body
    assert b'breaker_state{breaker="orders.write"} 0.0' in metrics
    assert b'gateway_in_flight{upstream=""} 0.0' in metrics
    assert b"process_start_time_seconds" in metrics


async def test_an_idle_connection_does_not_delay_the_end(spawn: Spawn, upstream: Upstream) -> None:
    port = free_port()
    process = await spawn(upstream.port, port, DRAIN_SECONDS="0")
    idle = await connect(port)
    idle.send(request("/api/catalog/books"))
    assert (await idle.answer()).status == 200
    process.send_signal(signal.SIGTERM)
    async with asyncio.timeout(3):
        assert await process.wait() == 0
    assert await idle.rest() == b""


async def test_what_does_not_finish_is_cut_after_the_period_of_grace(spawn: Spawn, upstream: Upstream) -> None:
    async def never(_: Upstream, __: Received, ___: asyncio.StreamReader, ____: asyncio.StreamWriter) -> None:
        await asyncio.Event().wait()

    upstream.script = never
    port = free_port()
    process = await spawn(upstream.port, port, DRAIN_SECONDS="0", GRACE_SECONDS="0.3")
    wire = await connect(port)
    wire.send(request("/api/catalog/books"))
    await eventually(lambda: bool(upstream.received))
    process.send_signal(signal.SIGTERM)
    async with asyncio.timeout(3):
        assert await process.wait() == 0


async def test_a_port_that_is_taken_is_named(spawn: Spawn, upstream: Upstream) -> None:
    process = await spawn(upstream.port, upstream.port)
    _, errors = await process.communicate()
    assert process.returncode == 1
    assert f"127.0.0.1:{upstream.port}" in errors.decode()
    assert "PORT" in errors.decode()


async def test_missing_settings_are_listed_together(upstream: Upstream) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "gateway.main", env={"PATH": os.environ["PATH"]}, stderr=asyncio.subprocess.PIPE
    )
    _, errors = await process.communicate()
    assert process.returncode == 2
    assert "UPSTREAM_CATALOG" in errors.decode()
    assert "JWKS_URL" in errors.decode()
