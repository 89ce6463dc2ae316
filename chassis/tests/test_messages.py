"""Messages are CloudEvents: what is written is read again, and what cannot be read is told as such."""

import json
from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from chassis.messages import Heard, Message, MessageMalformed

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
OTHER_JSON = st.recursive(st.none() | TEXT, st.lists).map(lambda value: json.dumps(value).encode())
DATA = st.dictionaries(TEXT, st.recursive(st.none() | st.booleans() | st.integers(-(2**53), 2**53) | TEXT, st.lists))


@given(st.uuids(), TEXT, st.integers(0, 2**31), st.datetimes(timezones=st.just(UTC)), DATA, st.none() | TEXT)
def test_what_is_written_is_read_again(
    id: UUID, subject: str, version: int, time: datetime, data: dict[str, object], trace: str | None
) -> None:
    message = Message(id, "shop.sample.noted.v1", "/sample", subject, version, time, data, trace)
    assert Message.decode(message.encode()) == message


@given(st.binary() | OTHER_JSON)
def test_any_other_bytes_are_malformed(payload: bytes) -> None:
    with pytest.raises(MessageMalformed):
        Message.decode(payload)


def test_a_message_of_the_moment_is_a_cloudevent_of_its_producer() -> None:
    message = Message.new("shop.sample.noted.v1", "a", 3, {"text": "x"})
    written = json.loads(message.encode())
    assert (written["specversion"], written["source"], written["subject"]) == ("1.0", "/sample", "a")
    assert (written["aggregateversion"], written["data"]) == (3, {"text": "x"})
    assert UUID(written["id"]).version == 7
    assert datetime.fromisoformat(written["time"]).tzinfo is not None


@pytest.mark.parametrize("attribute", ["id", "type", "source", "subject", "time", "data"])
def test_a_missing_attribute_is_malformed(attribute: str) -> None:
    written = json.loads(Message.new("shop.sample.noted.v1", "a", 1, {}).encode())
    del written[attribute]
    with pytest.raises(MessageMalformed):
        Message.decode(json.dumps(written).encode())


@pytest.mark.parametrize("trace", [1, [2], {"a": 3}, True])
def test_a_trace_that_is_no_text_is_ignored(trace: object) -> None:
    written = {**json.loads(Message.new("shop.sample.noted.v1", "a", 1, {}).encode()), "traceparent": trace}
    assert Message.decode(json.dumps(written).encode()).traceparent is None


def test_unknown_attributes_are_ignored() -> None:
    message = Message.new("shop.sample.noted.v1", "a", 1, {})
    written = {**json.loads(message.encode()), "partitionkey": "x"}
    assert Message.decode(json.dumps(written).encode()).id == message.id


def test_an_error_about_what_was_heard_does_not_repeat_it() -> None:
    class Charge(Heard):
        amount: int
        card: int

    with pytest.raises(ValidationError) as caught:
        Charge.model_validate({"amount": 1, "card": "tok_secret", "more": "ignored"})
    assert "tok_secret" not in str(caught.value)
