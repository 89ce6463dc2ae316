"""The upstream of the gateway benchmark: answers constants as fast as one loop can, and serves the bench's JWKS.

It reads no request beyond its target: it has to cost less than every proxy in front of it.
"""

import argparse
import asyncio
from pathlib import Path
from typing import cast

import uvloop

SMALL_PATH = "/api/catalog/books/9780306406157"
LARGE_PATH = "/api/catalog/books/large"
JWKS_PATH = "/api/identity/jwks.json"


def answer(body: bytes) -> bytes:
    """A whole HTTP/1.1 response of JSON, ready to be written."""
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


class FixedAnswers(asyncio.Protocol):
    """One connection; `answers` maps a target to the bytes of its response, the first one is for all others."""

    def __init__(self, answers: dict[bytes, bytes]) -> None:
        self.answers = answers
        self.default = next(iter(answers.values()))
        self.pending = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        requests = (self.pending + data).split(b"\r\n\r\n")
        self.pending = requests.pop()
        for request in requests:
            target = request.split(b" ", 2)[1]
            self.transport.write(self.answers.get(target, self.default))


def fixed_answers(jwks: bytes) -> dict[bytes, bytes]:
    """The three answers: 450 bytes, 64 KiB, and the key set."""
    filler = b'{"isbn":"9780306406157","title":"%s"}'
    return {
        SMALL_PATH.encode(): answer(filler % (b"x" * (450 - len(filler) + 2))),
        LARGE_PATH.encode(): answer(filler % (b"x" * (65_536 - len(filler) + 2))),
        JWKS_PATH.encode(): answer(jwks),
    }


async def serve(port: int, answers: dict[bytes, bytes]) -> None:
    """Serve until the process is ended."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: FixedAnswers(answers), "127.0.0.1", port)
    await server.serve_forever()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--jwks", type=Path, required=True)
    arguments = parser.parse_args()
    uvloop.run(serve(arguments.port, fixed_answers(arguments.jwks.read_bytes())))


if __name__ == "__main__":
    main()
