"""The health check of an image without a shell: what it asks, what it says, and what it may cost."""

import asyncio
import json
import os
import resource
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

Serve = Callable[[bytes], Awaitable[int]]
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
# One probe every five seconds is then little over a hundredth of a core for each container.
CPU_SECONDS = 0.06


def answer(status: bytes, document: object) -> bytes:
    body = json.dumps(document).encode()
    return b"HTTP/1.1 %b\r\nContent-Length: %d\r\n\r\n%b" % (status, len(body), body)


async def probe(port: int | str | None, *arguments: str) -> tuple[int | None, str, str]:
    """Exit status, standard output and error of the probe in an environment of its own."""
    environment = {"PATH": os.environ["PATH"], "HOST": "0.0.0.0", "PYTHONUTF8": "1"}  # noqa: S104
    environment |= {} if port is None else {"PORT": str(port)}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "chassis.probe", *arguments),
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, errors = await process.communicate()
    return process.returncode, out.decode(), errors.decode()


@pytest.fixture
async def asked() -> list[bytes]:
    return []


@pytest.fixture
async def serve(asked: list[bytes]) -> AsyncIterator[Serve]:
    servers: list[asyncio.Server] = []

    async def start(given: bytes) -> int:
        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            asked.append(await reader.readuntil(b"\r\n\r\n"))
            writer.write(given)
            if given:
                writer.close()

        servers.append(await asyncio.start_server(handle, "127.0.0.1", 0))
        return int(servers[-1].sockets[0].getsockname()[1])

    yield start
    for server in servers:
        server.close()


async def test_a_ready_process_is_healthy_and_nothing_is_said(serve: Serve, asked: list[bytes]) -> None:
    assert await probe(await serve(OK)) == (0, "", "")
    assert asked[0].startswith(b"GET /readyz HTTP/1.1\r\nHost: 127.0.0.1:")


async def test_another_path_can_be_asked(serve: Serve, asked: list[bytes]) -> None:
    assert (await probe(await serve(OK), "/healthz"))[0] == 0
    assert asked[0].startswith(b"GET /healthz ")


async def test_the_problems_are_told_in_one_line(serve: Serve) -> None:
    port = await serve(answer(b"503 Service Unavailable", {"problems": ["draining", "reachable: no\nanswer"]}))
    assert await probe(port) == (1, "", "draining; reachable: no answer\n")


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (answer(b"404 Not Found", {"detail": "x"}), "/readyz answers HTTP/1.1 404 Not Found\n"),
        (answer(b"503 Service Unavailable", ["x"]), "/readyz answers HTTP/1.1 503 Service Unavailable\n"),
        (b"HTTP/1.1 503 Busy\r\n\r\nbusy", "/readyz answers HTTP/1.1 503 Busy\n"),
        (b"SSH-2.0-x 200\r\n", "/readyz answers SSH-2.0-x 200\n"),
    ],
    ids=["not-found", "no-problems", "no-json", "no-http"],
)
async def test_any_other_answer_is_unhealthy(serve: Serve, given: bytes, told: str) -> None:
    assert await probe(await serve(given)) == (1, "", told)


async def test_a_process_that_does_not_answer_is_unhealthy_within_two_seconds(serve: Serve) -> None:
    port = await serve(b"")
    begun = time.monotonic()
    assert await probe(port) == (1, "", f"127.0.0.1:{port} does not answer: timed out\n")
    assert 2 <= time.monotonic() - begun < 4


async def test_a_closed_port_is_named() -> None:
    assert await probe(1) == (1, "", "127.0.0.1:1 does not answer: Connection refused\n")


@pytest.mark.parametrize("given", ["http", "²", "٣", "65536", "1" * 5000])
async def test_a_port_that_is_none_is_said(given: str) -> None:
    assert await probe(given) == (1, "", f"PORT is {given!r}\n")


async def test_help_is_offered_and_too_much_refused() -> None:
    status, out, _ = await probe(None, "--help")
    assert (status, out.splitlines()[0].startswith("Health check")) == (0, True)
    assert (await probe(None, "/a", "/b"))[0] == 2


async def test_a_probe_costs_next_to_nothing(serve: Serve) -> None:
    port = await serve(OK)
    await probe(port)  # writes the byte code
    costs = [await cost(port) for _ in range(3)]
    assert min(costs) < CPU_SECONDS, costs


async def cost(port: int) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert (await probe(port))[0] == 0
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
