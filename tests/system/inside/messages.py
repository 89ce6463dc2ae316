"""Inside the auditor's container: prints all messages about an order that are on the stream, the newest first."""

import asyncio
import os
import sys
from pathlib import Path

import orjson

from tests.invariants.access import Access, read_secret

NEWEST = 400


async def messages(access: Access, order: str) -> list[dict[str, object]]:
    """Of the newest ones that were published."""
    bus = await access.bus()
    try:
        jetstream = bus.jetstream()
        last = (await jetstream.stream_info(access.stream)).state.last_seq
        newest = range(last, max(0, last - NEWEST), -1)
        raw = [(await jetstream.get_msg(access.stream, sequence)).data or b"" for sequence in newest]
    finally:
        await bus.close()
    return [message for message in map(orjson.loads, raw) if message["subject"] == order]


secrets = Path(os.environ["AUDITOR_SECRETS"])
access = Access(
    os.environ["AUDITOR_POSTGRES"],
    read_secret(secrets, "database_password"),
    os.environ["AUDITOR_NATS"],
    "auditor",
    read_secret(secrets, "nats_password"),
)
print(orjson.dumps(asyncio.run(messages(access, sys.argv[1]))).decode())
