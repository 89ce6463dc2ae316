"""What is kept of a definition refuses what the API server would prune, and nothing that it keeps."""

from typing import Any

import jsonschema_rs

from tests.deploy.vendor import compact

STRING = {"type": "string", "description": "for readers"}


def accepts(schema: dict[str, Any], value: object) -> bool:
    return bool(jsonschema_rs.validator_for(compact(schema)).is_valid(value))


def test_a_field_that_is_not_named_is_refused_at_any_depth() -> None:
    inner = {"type": "object", "properties": {"b": STRING}}
    schema = {"type": "object", "properties": {"a": inner, "list": {"type": "array", "items": inner}}}
    assert accepts(schema, {"a": {"b": "x"}, "list": [{"b": "x"}]})
    assert not accepts(schema, {"c": 1})
    assert not accepts(schema, {"a": {"c": 1}})
    assert not accepts(schema, {"list": [{"c": 1}]})


def test_what_is_kept_although_unknown_is_accepted() -> None:
    assert accepts({"type": "object", "x-kubernetes-preserve-unknown-fields": True}, {"c": 1})
    assert accepts({"type": "object", "additionalProperties": STRING}, {"c": "x"})
    assert not accepts({"type": "object", "additionalProperties": STRING}, {"c": {"d": "x"}})


def test_a_choice_between_fields_closes_nothing() -> None:
    schema = {
        "type": "object",
        "properties": {"a": STRING, "b": STRING},
        "oneOf": [{"required": ["a"]}, {"required": ["b"]}],
    }
    assert accepts(schema, {"a": "x"})
    assert not accepts(schema, {"a": "x", "b": "y"})


def test_numbers_and_strings_are_told_apart_and_nothing_may_be_where_it_says_so() -> None:
    assert accepts({"anyOf": [{"type": "integer"}, {"type": "string"}], "x-kubernetes-int-or-string": True}, "10%")
    assert not accepts({"type": "integer"}, "10")
    assert accepts({"type": "string", "nullable": True}, None)


def test_a_field_may_be_left_out_by_name() -> None:
    schema = compact({"type": "object", "properties": {"matrix": STRING, "list": STRING}}, frozenset({"matrix"}))
    assert set(schema["properties"]) == {"list"}
