"""AsyncAPI 3.0: what a service sends and hears, described beside OpenAPI from what the code itself declares.

The producer owns examples, the consumer a model of what it reads: so a sent message is described by its envelope and
examples, a heard one by its envelope and the consumer's own schema.
"""

import importlib.util
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from chassis.settings import ServiceSettings

PATH = "/asyncapi.json"
_SCHEMAS = "#/components/schemas/{model}"


def document(
    settings: ServiceSettings, produces: Sequence[str], consumes: Mapping[str, type[BaseModel]]
) -> dict[str, Any]:
    """The document of a service, with the examples of its `contracts` folder."""
    examples = contracts(settings.service_name)
    messages = {subject: _message(subject, {"type": "object"}, examples.get(subject)) for subject in produces}
    schemas: dict[str, Any] = {}
    for subject, model in consumes.items():
        schema = model.model_json_schema(ref_template=_SCHEMAS, mode="validation")
        schemas |= schema.pop("$defs", {})
        schemas[model.__name__] = schema
        messages[subject] = _message(subject, {"$ref": _SCHEMAS.format(model=model.__name__)}, None)
    actions = dict.fromkeys(consumes, "receive") | dict.fromkeys(produces, "send")
    return {
        "asyncapi": "3.0.0",
        "info": {"title": f"Banyan {settings.service_name}", "version": settings.version},
        "defaultContentType": "application/json",
        "channels": {subject: _channel(subject) for subject in messages},
        "operations": {f"{action}-{subject}": _operation(action, subject) for subject, action in actions.items()},
        "components": {"messages": messages, "schemas": schemas},
    }


def contracts(package: str) -> dict[str, list[Any]]:
    """Examples of the messages that a service sends, by subject.

    They lie in a folder `contracts`: within the package where it is installed, beside `src` in the repository.
    """
    examples = [example for file in _files(package) for example in json.loads(file.read_bytes())["examples"]]
    subjects = dict.fromkeys(e["type"] for e in examples)  # no set: the document keeps the order of the files
    return {subject: [e for e in examples if e["type"] == subject] for subject in subjects}


def _files(package: str) -> list[Path]:
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        return []
    installed, source = Path(spec.origin).parent, Path(spec.origin).parents[1]
    # Only beside a `src`: what happens to lie two folders above an installed package is somebody else's.
    folder = source.parent if source.name == "src" else installed
    return sorted((folder / "contracts").glob("*.json"))


def _channel(subject: str) -> dict[str, Any]:
    return {"address": subject, "messages": {subject: {"$ref": f"#/components/messages/{subject}"}}}


def _operation(action: str, subject: str) -> dict[str, Any]:
    message = {"$ref": f"#/channels/{subject}/messages/{subject}"}
    return {"action": action, "channel": {"$ref": f"#/channels/{subject}"}, "messages": [message]}


def _message(subject: str, data: dict[str, Any], examples: list[Any] | None) -> dict[str, Any]:
    properties: dict[str, Any] = {key: {"type": "string"} for key in ("id", "source", "subject", "time")}
    properties |= {"specversion": {"const": "1.0"}, "type": {"const": subject}, "aggregateversion": {"type": "integer"}}
    properties |= {"traceparent": {"type": "string"}, "data": data}
    required = ["specversion", "id", "type", "source", "subject", "time", "data"]
    message: dict[str, Any] = {"name": subject, "contentType": "application/json"}
    message["payload"] = {"type": "object", "required": required, "properties": properties}
    if examples:
        message["examples"] = [{"payload": example} for example in examples]
    return message
