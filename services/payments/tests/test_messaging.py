"""Messages: the examples are what this code sends, and each handler reads what it needs."""

from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson
import pytest

from payments import messaging
from payments.domain import CardCharged, CardDeclined, CardRefunded, PaymentEvent

CONTRACTS = Path(__file__).parents[1] / "contracts"
EVENTS: dict[str, Callable[..., PaymentEvent]] = {
    "card-charged.v1": CardCharged,
    "card-declined.v1": CardDeclined,
    "card-refunded.v1": CardRefunded,
}
EXAMPLES = [
    (path.stem, example)
    for path in sorted(CONTRACTS.glob("*.json"))
    for example in orjson.loads(path.read_bytes())["examples"]
]


def test_every_message_type_has_an_example_and_every_example_a_type() -> None:
    assert {".".join(subject.split(".")[2:]) for subject in messaging.PRODUCES} == {name for name, _ in EXAMPLES}


@pytest.mark.parametrize(("name", "example"), EXAMPLES)
def test_the_examples_are_what_this_code_sends(name: str, example: dict[str, Any]) -> None:
    data: dict[str, Any] = {
        key: UUID(value) if key.endswith("_id") else value for key, value in example["data"].items()
    }
    sent = orjson.loads(messaging.to_message(EVENTS[name](version=example["aggregateversion"], **data)).encode())
    fixed = ("specversion", "type", "source", "subject", "aggregateversion", "datacontenttype", "data")
    assert {key: sent[key] for key in fixed} == {key: example[key] for key in fixed}
