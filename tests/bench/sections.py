"""docs/benchmarks.md is written by two commands, each its own sections: neither destroys what the other measured."""

import re
from pathlib import Path

_HEADING = re.compile(r"(?m)^(?=## )")


def split(page: str) -> tuple[str, dict[str, str]]:
    """What stands before the first heading of the second level, and each section by its heading, in order."""
    head, *parts = _HEADING.split(page)
    return head, {part.partition("\n")[0]: part.rstrip("\n") + "\n" for part in parts}


def merge(old: str, new: str) -> str:
    """`new` with those sections of `old` that it does not bring itself, at its end."""
    head, sections = split(new)
    kept = {heading: text for heading, text in split(old)[1].items() if heading not in sections}
    return _joined(head, {**sections, **kept})


def put(old: str, section: str) -> str:
    """`old` with a section in the place of the one that has its heading, or at the end."""
    head, sections = split(old)
    return _joined(head, {**sections, **split(section)[1]})


def read(page: Path) -> str:
    """The page as it is; empty where there is none."""
    return page.read_text() if page.exists() else ""


def _joined(head: str, sections: dict[str, str]) -> str:
    return "\n".join([head.rstrip("\n") + "\n", *sections.values()])
