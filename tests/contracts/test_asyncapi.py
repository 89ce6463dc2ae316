"""Each service's AsyncAPI document is one, and says what the code declares."""

from collections.abc import Iterator
from typing import Any

import pytest

from chassis.asyncapi import document
from chassis.settings import ServiceSettings
from tests.contracts.wiring import SPEAKERS, Speaker

each = pytest.mark.parametrize("speaker", SPEAKERS, ids=lambda speaker: speaker.name)


def describe(speaker: Speaker) -> dict[str, Any]:
    return document(ServiceSettings(service_name=speaker.name, port=0), speaker.produces, speaker.consumes)


def references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for part in value.values():
            yield from references(part)
    elif isinstance(value, list):
        for part in value:
            yield from references(part)


def resolve(root: Any, reference: str) -> Any:
    for part in reference.removeprefix("#/").split("/"):
        root = root[part]
    return root


@each
def test_the_document_has_the_structure_of_asyncapi_3(speaker: Speaker) -> None:
    api = describe(speaker)
    assert api["asyncapi"] == "3.0.0"
    assert api["info"]["title"] == f"Banyan {speaker.name}"
    assert api["info"]["version"]
    assert api.keys() <= {"asyncapi", "info", "defaultContentType", "channels", "operations", "components"}
    for name, channel in api["channels"].items():
        assert channel["address"] == name
        assert channel["messages"]
    for operation in api["operations"].values():
        assert operation.keys() == {"action", "channel", "messages"}
        assert operation["action"] in ("send", "receive")
        channel = operation["channel"]["$ref"]
        assert all(message["$ref"].startswith(f"{channel}/messages/") for message in operation["messages"])


@each
def test_every_reference_leads_somewhere(speaker: Speaker) -> None:
    api = describe(speaker)
    found = list(references(api))
    assert found
    for reference in found:
        assert isinstance(resolve(api, reference), dict)


@each
def test_it_sends_what_it_produces_and_receives_what_it_consumes(speaker: Speaker) -> None:
    api = describe(speaker)
    spoken: dict[str, set[str]] = {"send": set(), "receive": set()}
    for operation in api["operations"].values():
        spoken[operation["action"]].add(resolve(api, operation["channel"]["$ref"])["address"])
    assert spoken == {"send": set(speaker.produces), "receive": set(speaker.consumes)}


@each
def test_a_sent_message_shows_its_examples_and_a_received_one_what_is_read_of_it(speaker: Speaker) -> None:
    messages = describe(speaker)["components"]["messages"]
    for subject in speaker.produces:
        shown = [example["payload"] for example in messages[subject]["examples"]]
        assert shown == speaker.examples[subject]
    for subject, model in speaker.consumes.items():
        data = messages[subject]["payload"]["properties"]["data"]
        assert data == {"$ref": f"#/components/schemas/{model.__name__}"}
