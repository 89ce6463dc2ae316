"""Load on a service until it closes its door; runs inside a container, as `python -c PROGRAM WANTED`.

WANTED is JSON: host, path, headers, status, workers. Prints a line once it is under way, and at the end JSON: when each
good answer came, and every request that was accepted and not answered well. No keep-alive: a server may close an idle
connection whenever it likes, and that would look like a failure.
"""

import asyncio
import json
import socket
import sys
import time
from dataclasses import asdict, dataclass, field

PORT = 8080
UNDER_WAY = 50


@dataclass
class Seen:
    """What became of the requests; times are those of the machine's clock."""

    good: list[float] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    closed: float = 0.0


async def work(address: str, request: bytes, status: bytes, seen: Seen) -> None:
    """One customer after the other, until the door is closed."""
    while not seen.closed:
        try:
            async with asyncio.timeout(1):
                reader, writer = await asyncio.open_connection(address, PORT)
        except OSError:  # a time-out is one too: once its container has ended nobody is at the address
            seen.closed = time.time()
            return
        await exchange(reader, writer, request, status, seen)


async def exchange(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes, status: bytes, seen: Seen
) -> None:
    begun = time.time()
    try:
        writer.write(request)
        answer = await reader.read()
    except OSError as error:
        answer = repr(error).encode()
    finally:
        writer.close()
    if answer.startswith(b"HTTP/1.1 " + status):
        seen.good.append(time.time())
        if len(seen.good) == UNDER_WAY:
            print("under way", flush=True)
    else:
        seen.lost.append(f"after {time.time() - begun:.3f} s: {answer[:300].decode(errors='replace')!r}")


async def main(wanted: dict[str, object]) -> None:
    """Print what was seen."""
    headers = {"Host": wanted["host"], "Connection": "close", **dict(wanted["headers"])}  # type: ignore[call-overload]
    lines = [f"GET {wanted['path']} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
    address, seen = socket.gethostbyname(str(wanted["host"])), Seen()
    request, status = "\r\n".join(lines).encode(), str(wanted["status"]).encode()
    await asyncio.gather(*(work(address, request, status, seen) for _ in range(int(str(wanted["workers"])))))
    print(json.dumps(asdict(seen)), flush=True)


if __name__ == "__main__":
    asyncio.run(main(json.loads(sys.argv[1])))
