"""Cursors of lists that page by key: the place of a page's last row, in a form that clients pass back as it is.

Not signed: a forged cursor names another place in a list that its caller may read anyway. But it must be well formed,
and belong to this list: a place in one search means nothing in another.
"""

import base64
import zlib
from typing import Annotated, Any

import orjson
from fastapi import Query

from chassis.errors import UNPROCESSABLE, ProblemError

Cursor = Annotated[str | None, Query(max_length=4000, description="`next_cursor` of the page before")]
Limit = Annotated[int, Query(ge=1, le=100)]


def encode(scope: str, *place: str | int) -> str:
    """The cursor of `place` in the list that `scope` names (its filters, in words)."""
    return base64.urlsafe_b64encode(orjson.dumps([_mark(scope), *place])).decode().rstrip("=")


def decode(scope: str, cursor: str, *kinds: type) -> tuple[Any, ...]:
    """The values of the place, of these types (`str`, `int`). Raises 422 for what `encode` did not make for `scope`."""
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        mark, *place = orjson.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (ValueError, TypeError) as error:
        raise foreign() from error
    if mark != _mark(scope) or [type(value) for value in place] != list(kinds) or not all(map(_storable, place)):
        raise foreign()
    return tuple(place)


def _mark(scope: str) -> int:
    return zlib.crc32(scope.encode())


def _storable(value: str | int) -> bool:
    """PostgreSQL takes no NUL in a text, and no more than 64 bits in a number."""
    return "\0" not in value if isinstance(value, str) else -(2**63) <= value < 2**63


def foreign() -> ProblemError:
    """The 422 for a cursor that this list has not given out."""
    return ProblemError(UNPROCESSABLE, "The cursor does not belong to this list; begin again without one")
