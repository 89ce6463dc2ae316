"""What comes from outside as text: numbers and words out of addresses and forms."""

import re

_NUMBER = re.compile(r"[0-9]{1,9}")
LONGEST_SEARCH = 100


def whole_number(text: str | None, default: int) -> int:
    """Up to nine digits; whatever else stands there counts as not given."""
    return int(text) if text is not None and _NUMBER.fullmatch(text) else default


def printable(text: str) -> str:
    """The words of a search, without what nobody can have typed."""
    return "".join(each for each in text if each.isprintable())[:LONGEST_SEARCH]
