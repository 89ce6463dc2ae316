"""Conditional requests (RFC 9110, section 13) for resources that count their versions.

A version's entity tag is strong: `"7"` names version 7. `If-None-Match` saves a transfer, `If-Match` prevents that one
writer overwrites what another has just written and the first never saw.
"""

import re
from typing import Annotated, Any

from fastapi import Header

from chassis.errors import MALFORMED, Problem, ProblemError

PRECONDITION_FAILED = Problem(412, "precondition-failed", "The resource is not what the caller believes it is")
PRECONDITION_REQUIRED = Problem(428, "precondition-required", "Say which version is to be changed")

IfMatch = Annotated[str | None, Header(max_length=200, description='The `ETag` last read, such as `"7"`')]
IfNoneMatch = Annotated[str | None, Header(max_length=200, description="The `ETag` last read, or `*`")]

Versions = frozenset[int] | None
"""The versions that a caller has seen; None stands for `*`, whichever it is."""

IF_NONE_MATCH: dict[str, Any] = {
    "parameters": [
        {"name": "If-None-Match", "in": "header", "schema": {"type": "string"}, "description": "The `ETag` last read"}
    ]
}
"""The header's description, as `openapi_extra` of a route that reads it from the request."""

_TAG = re.compile(r'(W/)?"([^"]*)"')


def etag(version: int) -> str:
    """The strong entity tag of a version."""
    return f'"{version}"'


def not_modified(if_none_match: str, version: int) -> bool:
    """Whether the caller holds this version; the comparison is weak, as the header demands."""
    if if_none_match == etag(version):
        return True
    return if_none_match.strip() == "*" or any(tag == str(version) for _, tag in _TAG.findall(if_none_match))


def versions(if_match: str | None) -> Versions:
    """The versions that an `If-Match` admits; the comparison is strong: weak and foreign tags match nothing.

    Raises 428 where the header is missing.
    """
    if if_match is None:
        raise ProblemError(PRECONDITION_REQUIRED, "Send `If-Match` with the ETag of the version that you have seen")
    if if_match.strip() == "*":
        return None
    strong = (tag for weak, tag in _TAG.findall(if_match) if not weak)
    return frozenset(int(tag) for tag in strong if tag.isascii() and tag.isdigit())


def creates(if_match: str | None, if_none_match: str | None) -> bool:
    """Whether a PUT is to create (`If-None-Match: *`) rather than to replace (`If-Match`). Raises 400 for a mixture."""
    if if_none_match is None:
        return False
    if if_none_match.strip() != "*" or if_match is not None:
        raise ProblemError(MALFORMED, "A PUT takes either `If-None-Match: *`, to create, or `If-Match`, to replace")
    return True
