"""Keeps what a CustomResourceDefinition says of its kinds: `python -m tests.deploy.vendor <Kind>… < definition.yaml`.

One JSON Schema for each kind and served version, into schemas/, without what is only for readers (descriptions), for
servers (defaults, status), or beyond JSON Schema (CEL). Unknown fields are refused where the API server would prune
them, which it does silently.
"""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

SCHEMAS = Path(__file__).parent / "schemas"
METADATA = "metadata"
_KEPT = {
    "type", "properties", "required", "items", "additionalProperties", "enum", "pattern", "minLength", "maxLength",
    "minItems", "maxItems", "minimum", "maximum", "minProperties", "maxProperties", "allOf", "anyOf", "oneOf", "not",
    "uniqueItems",
}  # fmt: skip
# Nested generators of ApplicationSet are the whole kind three times over; nothing here uses them.
LEFT_OUT: Mapping[str, frozenset[str]] = {"ApplicationSet": frozenset({"matrix", "merge"})}

Schema = dict[str, Any]


def main() -> int:
    """Entry point of the command; prints the files that it wrote."""
    asked = set(sys.argv[1:])
    for definition in yaml.safe_load_all(sys.stdin):
        spec = definition["spec"]
        kind = spec["names"]["kind"]
        if asked and kind not in asked:
            continue
        for version in spec["versions"]:
            if version["served"] and not version.get("deprecated"):
                schema = compact(version["schema"]["openAPIV3Schema"], LEFT_OUT.get(kind, frozenset()))
                file = SCHEMAS / f"{kind}.{version['name']}.{spec['group']}.json"
                file.write_text(json.dumps(whole(schema), separators=(",", ":"), sort_keys=True) + "\n")
                print(file.name)
    return 0


def whole(schema: Schema) -> Schema:
    """Of an object: nobody writes a status by hand, and its metadata are those of any object."""
    properties = {name: each for name, each in schema["properties"].items() if name != "status"}
    required = sorted({*schema.get("required", ()), "apiVersion", "kind", METADATA})
    return {**schema, "properties": properties | {METADATA: {"$ref": METADATA}}, "required": required}


def compact(schema: Schema, left_out: frozenset[str] = frozenset()) -> Schema:
    """The same as JSON Schema, refusing what would be pruned."""
    kept: Schema = {key: value for key, value in schema.items() if key in _KEPT}
    if "properties" in kept:
        inner = {name: each for name, each in kept["properties"].items() if name not in left_out}
        kept["properties"] = {name: compact(each, left_out) for name, each in inner.items()}
    for key in ("items", "additionalProperties"):
        if isinstance(kept.get(key), dict):
            kept[key] = compact(kept[key], left_out)
    if schema.get("type") == "object" and "additionalProperties" not in kept and not is_open(schema):
        kept["additionalProperties"] = False
    if schema.get("nullable"):
        kept["type"] = [kept["type"], "null"]
    return kept


def is_open(schema: Schema) -> bool:
    """Whether the API server keeps fields that the schema does not name."""
    return bool(schema.get("x-kubernetes-preserve-unknown-fields") or schema.get("x-kubernetes-embedded-resource"))


if __name__ == "__main__":
    sys.exit(main())
