"""Bare proxies of the servers and clients that were considered for the gateway: docs/decisions/0003.

`python -m tests.bench.gateway.candidates` compares them with Traefik; none of them checks anything.
"""

import argparse
import asyncio
import os
from collections.abc import Awaitable, Callable, Iterable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import uvloop

from tests.bench.gateway.compare import Start, compare, ratio, start_traefik
from tests.bench.gateway.processes import PROXY_CORE, Proxy, free_port, module, running

Pairs = Iterable[tuple[str, str]]
Fetch = Callable[[str, str, Pairs], Awaitable[tuple[int, list[tuple[str, str]], bytes]]]


def pyreqwest(upstream: str) -> Fetch:
    """reqwest (Rust) behind an awaitable; the answer is streamed, so that a large one need not be held."""
    from pyreqwest.client import ClientBuilder

    client = ClientBuilder().gzip(False).brotli(False).zstd(False).deflate(False).follow_redirects(False).build()

    async def fetch(method: str, path: str, headers: Pairs) -> tuple[int, list[tuple[str, str]], bytes]:
        request = client.request(method, upstream + path).headers(list(headers)).build_streamed()
        response = await request.__aenter__()
        body = await response.body_reader.read(131_072)
        return response.status, list(response.headers.items()), bytes(body or b"")

    return fetch


def aiohttp(upstream: str) -> Fetch:
    """aiohttp's client."""
    from aiohttp import ClientSession, TCPConnector

    session = ClientSession(auto_decompress=False, connector=TCPConnector(limit=0))

    async def fetch(method: str, path: str, headers: Pairs) -> tuple[int, list[tuple[str, str]], bytes]:
        async with session.request(method, upstream + path, headers=dict(headers), allow_redirects=False) as response:
            return response.status, list(response.headers.items()), await response.read()

    return fetch


CLIENTS = {"pyreqwest": pyreqwest, "aiohttp": aiohttp}


def rsgi_app(fetch: Fetch) -> Any:
    """The bare proxy by granian's own interface, which hands over a decoded path."""

    async def app(scope: Any, protocol: Any) -> None:
        kept = ((name, value) for name, value in scope.headers.items() if name != "host")
        protocol.response_bytes(*await fetch(scope.method, scope.path, kept))

    return app


async def rsgi(fetch: Fetch, port: int) -> None:
    """granian embedded in this process."""
    from granian.constants import HTTPModes, Interfaces
    from granian.server.embed import Server

    options: dict[str, Any] = {"interface": Interfaces.RSGI, "http": HTTPModes.http1, "websockets": False}
    await Server(rsgi_app(fetch), port=port, **options).serve()


def worker() -> Any:
    """The application of granian's worker process."""
    return rsgi_app(CLIENTS["pyreqwest"](os.environ["BENCH_UPSTREAM"]))


def serve_by_worker(port: int, upstream: str) -> None:
    """granian as it is run normally: a main process and one worker."""
    from granian import Granian
    from granian.constants import HTTPModes, Interfaces, Loops

    os.environ["BENCH_UPSTREAM"] = upstream
    options: dict[str, Any] = {"interface": Interfaces.RSGI, "http": HTTPModes.http1, "websockets": False}
    target = "tests.bench.gateway.candidates:worker"
    Granian(target, port=port, factory=True, workers=1, loop=Loops.uvloop, **options).serve()


def asgi_app(fetch: Fetch) -> Any:
    """The bare proxy as ASGI."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        kept = ((name.decode(), value.decode()) for name, value in scope["headers"] if name != b"host")
        status, headers, body = await fetch(scope["method"], scope["raw_path"].decode(), kept)
        lines = [(name.encode(), value.encode()) for name, value in headers]
        await send({"type": "http.response.start", "status": status, "headers": lines})
        await send({"type": "http.response.body", "body": body})

    return app


async def asgi(fetch: Fetch, port: int) -> None:
    """granian with ASGI."""
    from granian.constants import HTTPModes, Interfaces
    from granian.server.embed import Server

    options: dict[str, Any] = {"interface": Interfaces.ASGINL, "http": HTTPModes.http1, "websockets": False}
    await Server(asgi_app(fetch), port=port, **options).serve()


async def uvicorn(fetch: Fetch, port: int) -> None:
    """uvicorn on httptools and uvloop."""
    import uvicorn as server

    options: dict[str, Any] = {"http": "httptools", "lifespan": "off", "log_level": "error", "access_log": False}
    await server.Server(server.Config(asgi_app(fetch), port=port, **options)).serve()


async def protocol(fetch: Fetch, port: int) -> None:
    """The gateway's own server side."""
    from gateway.client import Client
    from gateway.connection import Limits
    from gateway.headers import lines
    from gateway.request import Request
    from gateway.server import Server
    from gateway.settings import Settings
    from tests.bench.gateway.processes import gateway_environment

    async def handle(request: Request, client: Client) -> None:
        kept = ((name.decode(), value.decode()) for name, value in request.headers if name != b"host")
        status, headers, body = await fetch(request.method.decode(), request.target.decode(), kept)
        head = lines((n.encode(), v.encode()) for n, v in headers if n.lower() != "content-length")
        client.reply(request, status, head, body)

    values: dict[str, Any] = {name.lower(): value for name, value in gateway_environment(port, 1).items()}
    settings = Settings(**values)
    await Server(handle, Limits(32_768, 5, 60), settings).start()
    await asyncio.Event().wait()


SERVERS = {"granian-rsgi": rsgi, "granian-asgi": asgi, "uvicorn": uvicorn, "protocol": protocol}


def own(upstream: str) -> Fetch:
    """The gateway's own client side."""
    from gateway.upstreams import pool

    connections = pool(upstream)

    async def fetch(method: str, path: str, headers: Pairs) -> tuple[int, list[tuple[str, str]], bytes]:
        connection = connections.idle() or await connections.connect()
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers)
        response = await connection.begin(f"{method} {path} HTTP/1.1\r\nhost: a\r\n{lines}\r\n".encode(), False)
        chunks: list[bytes] = []
        await response.attach(chunks.append)
        return response.status, [(n.decode(), v.decode()) for n, v in response.headers], b"".join(chunks)

    return fetch


CLIENTS["protocol"] = own
WORKER = "granian-rsgi-worker"
CANDIDATES = (
    (WORKER, "pyreqwest"),
    ("granian-rsgi", "pyreqwest"),
    ("granian-asgi", "pyreqwest"),
    ("granian-rsgi", "aiohttp"),
    ("uvicorn", "aiohttp"),
    ("protocol", "pyreqwest"),
    ("protocol", "protocol"),
)


def starting(server: str, client: str) -> Start:
    """How to start one candidate."""

    def start(stack: ExitStack, upstream: int, folder: Path) -> Proxy:
        port = free_port()
        command = module("candidates", server=server, client=client, port=port, upstream=f"http://127.0.0.1:{upstream}")
        return stack.enter_context(running(f"{server}+{client}", PROXY_CORE, command, port, folder))

    return start


async def serve(server: str, client: str, port: int, upstream: str) -> None:
    """Run one candidate until the process is ended."""
    await SERVERS[server](CLIENTS[client](upstream), port)


def main() -> None:
    parser = argparse.ArgumentParser()
    for name in ("server", "client", "upstream"):
        parser.add_argument(f"--{name}")
    parser.add_argument("--port", type=int)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--only", nargs="*", help="names such as protocol+protocol")
    arguments = parser.parse_args()
    if arguments.server == WORKER:
        serve_by_worker(arguments.port, arguments.upstream)
        return
    if arguments.server:
        uvloop.run(serve(arguments.server, arguments.client, arguments.port, arguments.upstream))
        return
    chosen = [names for names in CANDIDATES if not arguments.only or "+".join(names) in arguments.only]
    rows = compare([start_traefik, *(starting(*names) for names in chosen)], arguments.seconds)
    relative = partial(ratio, rows)
    for row in rows:
        against = relative(row.proxy, "traefik", row.answer), 1 / relative(row.proxy, "traefik", row.answer, "cpu_us")
        print(f"{row.proxy:30} {row.answer:10} {row.rps:8.0f} {against[0]:6.2f} by requests/s {against[1]:6.2f} by cpu")


if __name__ == "__main__":
    main()
