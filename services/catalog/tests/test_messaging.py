"""Messages: what goes out, in which order, and that the examples show it."""

import asyncio
from pathlib import Path
from typing import Any

import orjson
import pytest

from catalog import messaging
from catalog.domain import BookChanged, Description, Money, Origin
from chassis.messages import Message

CONTRACTS = Path(__file__).parents[1] / "contracts"
ISBNS = ("9799001000010", "9799001000027", "9799001000034")


def examples(subject: str) -> list[dict[str, Any]]:
    name = ".".join(subject.split(".")[2:])
    loaded: list[dict[str, Any]] = orjson.loads((CONTRACTS / f"{name}.json").read_bytes())["examples"]
    return loaded


def test_every_message_type_has_an_example_and_every_example_a_type() -> None:
    names = {".".join(subject.split(".")[2:]) for subject in messaging.PRODUCES}
    assert names == {path.stem for path in CONTRACTS.glob("*.json")}


@pytest.mark.parametrize("example", examples(messaging.BOOK_CHANGED))
def test_the_examples_are_what_this_code_sends(example: dict[str, Any]) -> None:
    content = example["data"]
    sent = messaging.to_message(
        BookChanged(
            content["isbn"],
            content["number"],
            Description(content["title"], content["author"], content["year"]),
            Money(**content["price"]),
            content["version"],
            Origin(content["origin"]),
            content["legacy_version"],
        )
    )
    written = orjson.loads(sent.encode())
    fixed = ("specversion", "type", "source", "subject", "aggregateversion", "datacontenttype", "data")
    assert {name: written[name] for name in fixed} == {name: example[name] for name in fixed}
    assert set(example) - set(written) <= {"traceparent"}
    assert Message.decode(orjson.dumps(example)).version == content["version"]


async def test_every_change_is_told_and_those_of_one_book_in_order(shop: Any) -> None:
    for isbn in ISBNS:
        await shop.add(isbn)

    async def reprice(isbn: str) -> None:
        for version in range(1, 5):
            answer = await shop.reprice(isbn, 1000 + version, if_match=f'"{version}"')
            assert answer.status_code == 200

    await asyncio.gather(*map(reprice, ISBNS))
    async with asyncio.timeout(10):
        while len(shop.stream.published) < 15:
            await asyncio.sleep(0.02)
    for isbn in ISBNS:
        told = [message for message in shop.stream.published if message.subject == isbn]
        assert [message.version for message in told] == [1, 2, 3, 4, 5]
        assert told[-1].data["price"] == {"amount": 1004, "currency": "EUR"}


async def test_a_refused_change_is_not_told(shop: Any) -> None:
    await shop.add(ISBNS[0])
    assert (await shop.reprice(ISBNS[0], 1, if_match='"9"')).status_code == 412
    await shop.add(ISBNS[1])
    async with asyncio.timeout(10):
        while ISBNS[1] not in {message.subject for message in shop.stream.published}:
            await asyncio.sleep(0.02)
    assert [message.subject for message in shop.stream.published] == list(ISBNS[:2])
