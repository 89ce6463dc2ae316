"""Producers' examples and consumers' models fit: a change that breaks a reader fails here, before it is deployed."""

import copy
import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
import pytest
from pydantic import BaseModel, ValidationError

from chassis.messages import Message
from tests.contracts.wiring import EXAMPLES, SPEAKERS

PRODUCED = [(speaker.name, subject) for speaker in SPEAKERS for subject in speaker.produces]
CONSUMED = [
    pytest.param(subject, model, id=f"{speaker.name}-{subject}")
    for speaker in SPEAKERS
    for subject, model in speaker.consumes.items()
]
TRACEPARENT = re.compile(r"00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")
UNCONSUMED_EVENTS = re.compile(r"shop\.orders\.order-\w+\.v1")  # for whoever comes later: mail, reports


def each_example() -> Iterator[Any]:
    for subject, examples in EXAMPLES.items():
        for number, example in enumerate(examples):
            yield pytest.param(subject, example, id=f"{subject}-{number}")


def test_there_are_messages() -> None:
    assert len(PRODUCED) >= 10
    assert len(CONSUMED) >= 10


@pytest.mark.parametrize(("service", "subject"), PRODUCED)
def test_every_message_has_an_example_and_the_name_of_its_producer(service: str, subject: str) -> None:
    assert EXAMPLES.get(subject)
    assert re.fullmatch(rf"shop\.{service}\.[a-z]+(-[a-z]+)*\.v[1-9]\d*", subject)


def test_nobody_gives_examples_of_what_it_does_not_send() -> None:
    for speaker in SPEAKERS:
        assert set(speaker.examples) == set(speaker.produces), speaker.name


def test_messages_are_in_the_same_order_in_every_process() -> None:
    for speaker in SPEAKERS:
        assert list(speaker.examples) == sorted(speaker.examples), speaker.name


@pytest.mark.parametrize(("subject", "example"), list(each_example()))
def test_an_example_is_a_cloudevent(subject: str, example: dict[str, Any]) -> None:
    assert example["specversion"] == "1.0"
    assert UUID(example["id"]).version == 7
    assert example["type"] == subject
    assert example["source"] == f"/{subject.split('.')[1]}"
    assert example["subject"]
    assert datetime.fromisoformat(example["time"]).utcoffset() is not None
    assert example["datacontenttype"] == "application/json"
    assert all(re.fullmatch(r"[a-z0-9]{1,20}", name) for name in example), "CloudEvents allows no other names"
    assert example["aggregateversion"] >= 1
    assert TRACEPARENT.fullmatch(example.get("traceparent", f"00-{'a' * 32}-{'b' * 16}-01"))


@pytest.mark.parametrize(("subject", "example"), list(each_example()))
def test_an_example_is_what_the_chassis_writes_and_reads(subject: str, example: dict[str, Any]) -> None:
    message = Message.decode(orjson.dumps(example))
    written = orjson.loads(message.encode())
    assert {**written, "time": datetime.fromisoformat(written["time"])} == {
        **example,
        "time": datetime.fromisoformat(example["time"]),
    }


@pytest.mark.parametrize(("subject", "model"), CONSUMED)
def test_every_message_that_somebody_hears_is_sent_by_somebody(subject: str, model: type[BaseModel]) -> None:
    assert subject in {subject for _, subject in PRODUCED}


def test_every_message_that_somebody_sends_is_heard_or_meant_for_later() -> None:
    heard = {subject for speaker in SPEAKERS for subject in speaker.consumes}
    assert [s for _, s in PRODUCED if s not in heard and not UNCONSUMED_EVENTS.fullmatch(s)] == []


@pytest.mark.parametrize(("subject", "model"), CONSUMED)
def test_a_consumer_reads_each_example_of_the_producer(subject: str, model: type[BaseModel]) -> None:
    for example in EXAMPLES[subject]:
        model.model_validate(example["data"])


@pytest.mark.parametrize(("subject", "model"), CONSUMED)
def test_a_consumer_tolerates_what_it_does_not_know(subject: str, model: type[BaseModel]) -> None:
    for example in EXAMPLES[subject]:
        model.model_validate(_with_unknown(example["data"]))


@pytest.mark.parametrize(("subject", "model"), CONSUMED)
def test_the_loss_of_a_field_that_a_consumer_needs_is_noticed(subject: str, model: type[BaseModel]) -> None:
    required = [name for name, field in model.model_fields.items() if field.is_required()]
    assert required
    for name in required:
        for example in EXAMPLES[subject]:
            data = copy.deepcopy(example["data"])
            del data[name]
            with pytest.raises(ValidationError):
                model.model_validate(data)


def _with_unknown(value: Any) -> Any:
    if isinstance(value, dict):
        return {**{name: _with_unknown(part) for name, part in value.items()}, "added_later": {"x": [1]}}
    return [_with_unknown(part) for part in value] if isinstance(value, list) else value
