"""A gateway on loopback before an upstream whose answers a test decides, spoken to in raw bytes."""

import asyncio
import time
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import orjson
from joserfc import jwt
from joserfc.jwk import OKPKey
from prometheus_client import CollectorRegistry

from chassis.lifecycle import Lifecycle
from chassis.retries import RetryPolicy
from gateway.addresses import Lookup
from gateway.main import create
from gateway.routes import ROUTES
from gateway.server import Server
from gateway.settings import Settings

OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"


@dataclass
class Received:
    """A request as the upstream saw it."""

    head: bytes
    body: bytes = b""

    @property
    def line(self) -> bytes:
        return self.head.split(b"\r\n", 1)[0]

    @property
    def headers(self) -> dict[bytes, bytes]:
        pairs = (line.split(b": ", 1) for line in self.head.split(b"\r\n")[1:] if line)
        return {name.lower(): value for name, value in pairs}


Script = Callable[["Upstream", Received, asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def answer_ok(_: "Upstream", __: Received, ___: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(OK)


def answering(*answers: bytes) -> Script:
    """Each request gets the next of these answers, the last one again and again."""
    left = list(answers)

    async def script(_: "Upstream", __: Received, ___: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(left.pop(0) if len(left) > 1 else left[0])

    return script


@dataclass
class Upstream:
    """A server that keeps what it received and answers by `script`. It reads bodies unless `reads_bodies` is off."""

    script: Script = answer_ok
    reads_bodies: bool = True
    received: list[Received] = field(default_factory=list)
    connections: int = 0
    server: asyncio.Server | None = None

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> None:
        self.server = await asyncio.start_server(self._serve, host, port, limit=1 << 20)

    @property
    def port(self) -> int:
        assert self.server is not None
        return int(self.server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        assert self.server is not None
        self.server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while True:
                request = Received((await reader.readuntil(b"\r\n\r\n"))[:-4])
                if self.reads_bodies:
                    request.body = await reader.readexactly(int(request.headers.get(b"content-length", b"0")))
                self.received.append(request)
                await self.script(self, request, reader, writer)
                await writer.drain()
        except (asyncio.IncompleteReadError, asyncio.CancelledError, ConnectionError):
            pass
        finally:
            writer.close()


class Issuer:
    """Signs tokens, and serves its keys as often as they are asked for."""

    def __init__(self) -> None:
        self.key = OKPKey.generate_key("Ed25519", {"kid": "k1"})
        self.fetches = 0
        self.available = True

    async def fetch_keys(self) -> dict[str, Any]:
        self.fetches += 1
        if not self.available:
            raise ConnectionError("identity is down")
        return {"keys": [self.key.as_dict(private=False)]}

    def token(self, header: dict[str, Any] | None = None, key: OKPKey | None = None, **claims: Any) -> str:
        now = int(time.time())
        standard = {
            "iss": "banyan-identity",
            "aud": "banyan",
            "sub": str(uuid.uuid4()),
            "roles": ["customer"],
            "iat": now,
            "exp": now + 600,
        }
        full = {"alg": "Ed25519", "kid": "k1", "typ": "at+jwt", **(header or {})}
        kept = {name: value for name, value in {**standard, **claims}.items() if value is not None}
        return jwt.encode(full, kept, key or self.key, algorithms=["Ed25519"])


@dataclass
class Running:
    """A gateway that runs in this process."""

    server: Server
    lifecycle: Lifecycle
    registry: CollectorRegistry

    @property
    def port(self) -> int:
        return self.server.port

    def metric(self, name: str, **labels: str) -> float:
        return self.registry.get_sample_value(name, labels) or 0.0


@dataclass(frozen=True)
class Answer:
    """A response, taken apart."""

    status: int
    headers: dict[bytes, bytes]
    body: bytes

    @property
    def problem(self) -> dict[str, Any]:
        assert self.headers[b"content-type"] == b"application/problem+json"
        document: dict[str, Any] = orjson.loads(self.body)
        return document

    @property
    def slug(self) -> str:
        return str(self.problem["type"]).removeprefix("urn:banyan:problem:")


def parse(raw: bytes) -> Answer:
    head, _, body = raw.partition(b"\r\n\r\n")
    first, *lines = head.split(b"\r\n")
    headers = {name.lower(): value for name, value in (line.split(b": ", 1) for line in lines)}
    return Answer(int(first.split()[1]), headers, body)


class Wire:
    """A raw connection to the gateway."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    def send(self, data: bytes) -> None:
        self.writer.write(data)

    async def rest(self, seconds: float = 5) -> bytes:
        """All bytes until the gateway closes."""
        async with asyncio.timeout(seconds):
            return await self.reader.read(-1)

    async def answer(self, seconds: float = 5) -> Answer:
        """One answer with a Content-Length."""
        async with asyncio.timeout(seconds):
            head = await self.reader.readuntil(b"\r\n\r\n")
            length = int(parse(head).headers.get(b"content-length", b"0"))
            return parse(head + await self.reader.readexactly(length))


def request(path: str, *headers: str, method: str = "GET", body: bytes = b"") -> bytes:
    """A request as bytes; a body brings its Content-Length."""
    lines = [f"{method} {path} HTTP/1.1", "Host: shop.test", *headers]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


@dataclass
class Tools:
    """What a test needs: `start` a gateway, `ask` it one request, or speak to it by `wire`."""

    upstream: Upstream
    issuer: Issuer
    running: list[Running] = field(default_factory=list)
    wires: list[Wire] = field(default_factory=list)

    async def start(
        self,
        routes: Any = ROUTES,
        retries: RetryPolicy | None = None,
        lookup: Lookup | None = None,
        **overrides: Any,
    ) -> Running:
        url = f"http://127.0.0.1:{self.upstream.port}"
        names = ("identity", "catalog", "inventory", "orders", "payments", "facade")
        values = {"port": 0, "jwks_url": url, "drain_seconds": 0, "grace_seconds": 2, "access_log_ratio": 0}
        values |= {f"upstream_{name}": url for name in names}
        registry = CollectorRegistry()
        server, lifecycle = create(
            Settings(**{**values, **overrides}),
            routes,
            self.issuer.fetch_keys,
            registry,
            retries or RetryPolicy(attempts=3, first=0.001, cap=0.002),
            lookup,
        )
        await lifecycle.start()
        self.running.append(Running(server, lifecycle, registry))
        return self.running[-1]

    async def wire(self) -> Wire:
        """A new connection to the gateway that was started last."""
        self.wires.append(Wire(*await asyncio.open_connection("127.0.0.1", self.running[-1].port)))
        return self.wires[-1]

    async def ask(self, data: bytes) -> Answer:
        """Send these bytes on a new connection and read one answer."""
        wire = await self.wire()
        wire.send(data)
        return await wire.answer()

    async def stop(self) -> None:
        for wire in self.wires:
            wire.writer.close()
        for running in self.running:
            await running.lifecycle.stop()
        await self.upstream.stop()


async def eventually(condition: Callable[[], bool], seconds: float = 3) -> None:
    """Poll until it holds, or fail."""
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.01)
