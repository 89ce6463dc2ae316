"""The durable consumer on the server: made where it is missing, widened where it hears too little, never narrowed.

During a rolling update two releases share it. Were each to write its own list of subjects, an old replica that connects
once more would take away the new one's, and what is published then would be passed over for good.
"""

from nats.js import JetStreamContext
from nats.js.api import ConsumerConfig
from nats.js.errors import NotFoundError

_WRITTEN = ("ack_wait", "max_ack_pending", "max_deliver")


class NotHeard(Exception):
    """Somebody has taken subjects away from the durable that this replica has handlers for."""


def subjects(config: ConsumerConfig) -> frozenset[str]:
    """What a durable hears; the server tells of a single one under another name."""
    return frozenset(config.filter_subjects or ([config.filter_subject] if config.filter_subject else []))


async def bind(jetstream: JetStreamContext, stream: str, wanted: ConsumerConfig) -> None:
    """See to it that there is a durable as `wanted`, which may hear more."""
    try:
        standing = await _standing(jetstream, stream, wanted)
    except NotFoundError:
        await jetstream.add_consumer(stream, wanted)
        return
    heard, own = subjects(standing), subjects(wanted)
    # Written only when it must be: what stood a moment ago could undo what another replica has just added.
    if not own <= heard or any(getattr(standing, name) != getattr(wanted, name) for name in _WRITTEN):
        await jetstream.add_consumer(stream, wanted, filter_subjects=sorted(heard | own))


async def check(jetstream: JetStreamContext, stream: str, wanted: ConsumerConfig) -> None:
    """Raises `NotFoundError` when the durable is gone, `NotHeard` when it was narrowed: silence looks the same."""
    standing = await _standing(jetstream, stream, wanted)
    if missing := subjects(wanted) - subjects(standing):
        raise NotHeard(f"the durable no longer hears {', '.join(sorted(missing))}")


async def _standing(jetstream: JetStreamContext, stream: str, wanted: ConsumerConfig) -> ConsumerConfig:
    config: ConsumerConfig = (await jetstream.consumer_info(stream, wanted.durable_name or "")).config
    return config
