"""Lists the dead letters of a consumer and puts them back on the stream: `python -m chassis.replay CONSUMER [--list]`.

A replayed message keeps its id: consumers that handled it before skip it by their inbox.
"""

import argparse
import asyncio
import sys

from nats.errors import TimeoutError as NatsTimeoutError
from nats.js.api import AckPolicy, ConsumerConfig
from nats.js.errors import NotFoundError
from pydantic import Field

from chassis import logs
from chassis.bus import Bus
from chassis.messages import Message, MessageMalformed
from chassis.settings import BusSettings, ServiceSettings, load


class Settings(ServiceSettings, BusSettings):
    """The connection to NATS, of a user who may publish in the whole namespace."""

    service_name: str = "replay"
    port: int = Field(default=0)
    log_level: str = "WARNING"


async def replay(bus: Bus, consumer: str, listing: bool) -> int:
    """Print each dead letter of `consumer`; unless `listing`, publish it again and delete it. Returns their number."""
    jetstream = await bus.jetstream()
    namespace = bus.stream.lower()
    config = ConsumerConfig(filter_subject=f"dead.{namespace}.{consumer}.>", ack_policy=AckPolicy.NONE)
    # Only those that are there now: a message that fails again comes back while this still runs.
    last = (await jetstream.stream_info(bus.dead_stream)).state.last_seq
    letters = await jetstream.pull_subscribe(config.filter_subject or "", stream=bus.dead_stream, config=config)
    count = 0
    while True:
        try:
            (letter,) = await letters.fetch(1, timeout=1)
        except (NatsTimeoutError, TimeoutError):
            return count
        headers, sequence = letter.headers or {}, letter.metadata.sequence.stream
        if sequence > last:
            return count
        count += 1
        subject = headers["Dead-Subject"]
        sys.stdout.write(f"{_name(letter.data)}  {subject}  {headers.get('Dead-Error', '')}\n")
        if not listing:
            await bus.publish(subject, f"replay-{consumer}-{sequence}", letter.data)
            await jetstream.delete_msg(bus.dead_stream, sequence)


def _name(payload: bytes) -> str:
    try:
        return str(Message.decode(payload).id)
    except MessageMalformed:
        return "(malformed)"


async def _main(consumer: str, listing: bool) -> int:
    settings = load(Settings)
    logs.configure(settings)
    bus = Bus(settings, "replay")
    await bus.start()
    try:
        async with asyncio.timeout(60):
            count = await replay(bus, consumer, listing)
    except (TimeoutError, NotFoundError) as error:
        sys.stderr.write(f"replay: NATS does not answer ({error!r}); is the stack running? See `make status`.\n")
        return 1
    finally:
        await bus.stop()
    sys.stdout.write(f"{count} dead letter(s) of {consumer} {'found' if listing else 'replayed'}\n")
    return 0


def main() -> None:
    """Entry point of the command; exit code 0, or 1 when NATS does not answer."""
    parser = argparse.ArgumentParser(prog="python -m chassis.replay", description=__doc__)
    parser.add_argument("consumer", help="name of the consuming service, as in `make status`")
    parser.add_argument("--list", action="store_true", help="only show them")
    arguments = parser.parse_args()
    raise SystemExit(asyncio.run(_main(arguments.consumer, arguments.list)))


if __name__ == "__main__":
    main()
