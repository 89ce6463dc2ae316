"""Invariants of messages: each is published, in order, and takes effect once at everyone who listens for it."""

from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime, timedelta
from uuid import UUID

from tests.invariants.snapshot import Snapshot
from tests.invariants.verdict import unless

# It publishes from a change table, in which no message has its row.
WITHOUT_OUTBOX = "bridge"
# What the bridge hears of books that came from the old shop it passes over, without a row in its inbox.
PASSED_OVER = ("bridge", "catalog.book-changed.v1")
# Outboxes keep a published message for a day: a younger one without its row came from somebody else.
ROWS_KEPT = timedelta(hours=23)


def are_published(shop: Snapshot) -> Iterator[str | None]:
    for service, outbox in shop.outboxes.items():
        for row in outbox:
            good = row.published_at is not None
            yield unless(good, f"{service}: {row.type} {row.message_id} waits since {row.created_at:%H:%M:%S}")


def are_on_the_stream(shop: Snapshot) -> Iterator[str | None]:
    present = {message.message_id for message in shop.stream.messages}
    oldest = _oldest(shop)
    for service, outbox in shop.outboxes.items():
        for row in outbox:
            if row.published_at is not None and (oldest is None or row.published_at > oldest):
                good = row.message_id in present
                yield unless(good, f"{service}: {row.type} {row.message_id} was published and is not on the stream")


def come_from_their_producers_outbox(shop: Snapshot) -> Iterator[str | None]:
    written = {service: {row.message_id for row in outbox} for service, outbox in shop.outboxes.items()}
    for message in shop.stream.messages:
        bridged = message.producer == WITHOUT_OUTBOX and shop.old.bridge is not None
        if message.at > shop.taken_at - ROWS_KEPT and not bridged:
            good = message.message_id in written.get(message.producer, ())
            yield unless(good, f"{message.subject} {message.message_id} is in no outbox of {message.producer}")


def are_in_the_order_of_their_aggregate(shop: Snapshot) -> Iterator[str | None]:
    """Of each aggregate: as they were written, so they stand on the stream, and versions never fall."""
    first: dict[UUID, int] = {}
    for message in shop.stream.messages:
        first.setdefault(message.message_id, message.sequence)
    for service, outbox in shop.outboxes.items():
        last: defaultdict[str, tuple[int, int]] = defaultdict(lambda: (0, 0))
        for row in outbox:
            if row.message_id in first:
                here, before = (first[row.message_id], row.version), last[row.aggregate]
                good = here[0] > before[0] and here[1] >= before[1]
                last[row.aggregate] = max(here, before)
                yield unless(good, f"{service}: {row.type} of {row.aggregate} (version {row.version}) is out of order")


def are_handled_by_everyone_who_listens(shop: Snapshot) -> Iterator[str | None]:
    """What a consumer has acknowledged has taken effect: it has its row in the inbox, and cannot have two."""
    for name, durable in shop.stream.consumers.items():
        if name not in shop.inboxes:
            continue  # not for us to read
        handled = {row.message_id for row in shop.inboxes[name]}
        for message in shop.stream.messages:
            if (
                (name, message.name) != PASSED_OVER
                and message.subject in durable.subjects
                and message.sequence <= durable.acknowledged
            ):
                good = message.message_id in handled
                yield unless(good, f"{name} has acknowledged {message.subject} {message.message_id} without effect")


def are_handled_only_if_published(shop: Snapshot) -> Iterator[str | None]:
    present = {message.message_id for message in shop.stream.messages}
    oldest = _oldest(shop)
    for name, inbox in shop.inboxes.items():
        for row in inbox:
            if oldest is None or row.handled_at > oldest:
                good = row.message_id in present
                yield unless(good, f"{name} has handled {row.message_id}, which is not on the stream")


def wait_for_nobody(shop: Snapshot) -> Iterator[str | None]:
    """Each service with an inbox has its durable consumer, and nothing is pending, unacknowledged or redelivered."""
    for name in sorted({*shop.inboxes, *shop.stream.consumers}):
        durable = shop.stream.consumers.get(name)
        if durable is None:
            yield f"{name} has no consumer on the stream" if shop.stream.messages else None
            continue
        left = (durable.pending, durable.unacknowledged, durable.redelivered)
        yield unless(left == (0, 0, 0), "{}: {} pending, {} unacknowledged, {} redelivered".format(name, *left))


def are_not_dead(shop: Snapshot) -> Iterator[str | None]:
    for letter in shop.stream.dead:
        yield f"{letter.consumer} could not handle {letter.subject}: {letter.error}"


def _oldest(shop: Snapshot) -> datetime | None:
    """What is older than this has left the stream lawfully."""
    return shop.taken_at - timedelta(seconds=shop.stream.max_age) if shop.stream.max_age else None
