"""Whether two answers say the same, and if not, what is wrong with the second one."""

import re

from facade.comparison.compare import compare
from facade.comparison.difference import Difference, Kind, Node
from facade.comparison.read import read, read_headers
from facade.legacy_http import LegacyResponse

__all__ = ["Difference", "Kind", "Node", "compare", "compare_answers", "equal", "read"]

_SECRET = re.compile(rb'(name="csrf" value=")[^"]*')


def equal(legacy: LegacyResponse, modern: LegacyResponse) -> bool:
    """Whether they are the same to the byte, but for a token. Most answers are, and need not be read."""
    return _plain(legacy) == _plain(modern)


def compare_answers(legacy: LegacyResponse, modern: LegacyResponse) -> list[Difference]:
    """What an old client would notice."""
    return [] if equal(legacy, modern) else compare(read(legacy), read(modern))


def _plain(answer: LegacyResponse) -> tuple[object, ...]:
    return answer.status, read_headers(answer), _SECRET.sub(rb"\1", answer.body)
