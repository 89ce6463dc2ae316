"""The load generator of the gateway benchmark: N keep-alive connections, each asking again when it was answered.

Written on bare protocols because httpx, aiohttp and locust saturate long before the proxies do. It knows responses
by Content-Length and by chunked framing's end, and counts every status.
"""

import argparse
import asyncio
import json
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import cast

import uvloop


@dataclass
class Tally:
    """What one run saw: answers by status, their latencies in seconds, and broken connections."""

    statuses: Counter[int] = field(default_factory=Counter)
    latencies: list[float] = field(default_factory=list)
    broken: int = 0


class Client(asyncio.Protocol):
    """One connection: one request under way at a time."""

    def __init__(self, request: bytes, tally: Tally) -> None:
        self.request = request
        self.tally = tally
        self.stopped = False
        self.received = bytearray()
        self.missing: int | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self.ask()

    def ask(self) -> None:
        self.asked = time.perf_counter()
        self.transport.write(self.request)

    def data_received(self, data: bytes) -> None:
        self.received += data
        if self.complete():
            self.finish()

    def complete(self) -> bool:
        if self.missing is None:
            end = self.received.find(b"\r\n\r\n")
            if end < 0:
                return False
            length = content_length(bytes(self.received[:end]).lower())
            self.missing = -1 if length is None else end + 4 + length
        if self.missing < 0:
            return self.received.endswith(b"0\r\n\r\n")
        return len(self.received) >= self.missing

    def finish(self) -> None:
        self.tally.statuses[int(self.received[9:12])] += 1
        self.tally.latencies.append(time.perf_counter() - self.asked)
        self.received.clear()
        self.missing = None
        if not self.stopped:
            self.ask()

    def connection_lost(self, error: Exception | None) -> None:
        if not self.stopped:
            self.tally.broken += 1


def content_length(head: bytes) -> int | None:
    """The Content-Length of a lower-cased response head, None for chunked framing."""
    _, found, rest = head.partition(b"\r\ncontent-length:")
    return int(rest.split(b"\r\n", 1)[0]) if found else None


def http_request(path: str, token: str | None) -> bytes:
    """The bytes of the one request that a run repeats."""
    authorization = f"Authorization: Bearer {token}\r\n" if token else ""
    return f"GET {path} HTTP/1.1\r\nHost: shop.test\r\nAccept: */*\r\n{authorization}\r\n".encode()


async def load(port: int, request: bytes, connections: int, seconds: float) -> tuple[Tally, float]:
    """Ask over all connections for so many seconds; returns the tally and the seconds that it took."""
    loop = asyncio.get_running_loop()
    tally = Tally()
    started = time.perf_counter()
    clients = [
        (await loop.create_connection(lambda: Client(request, tally), "127.0.0.1", port))[1] for _ in range(connections)
    ]
    await asyncio.sleep(seconds)
    elapsed = time.perf_counter() - started
    for client in clients:
        client.stopped = True
        client.transport.close()
    return tally, elapsed


def report(tally: Tally, elapsed: float) -> dict[str, object]:
    """The run as JSON: requests per second, statuses, p50 and p99 in milliseconds."""
    ordered = sorted(tally.latencies) or [0.0]
    return {
        "rps": len(tally.latencies) / elapsed,
        "statuses": dict(tally.statuses),
        "broken": tally.broken,
        "p50_ms": ordered[len(ordered) // 2] * 1000,
        "p99_ms": ordered[len(ordered) * 99 // 100] * 1000,
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--path", required=True)
    parser.add_argument("--token")
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--seconds", type=float, default=5.0)
    arguments = parser.parse_args()
    request = http_request(arguments.path, arguments.token)
    print(json.dumps(report(*uvloop.run(load(arguments.port, request, arguments.connections, arguments.seconds)))))


if __name__ == "__main__":
    main()
