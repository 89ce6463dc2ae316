"""The words in which a comparison speaks: trees in, differences out."""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

Node: TypeAlias = "bool | int | float | str | list[Node] | dict[str, Node] | None"
SHOWN = 120
_ADDRESS = re.compile(r"[^\s@|]+@[^\s@|]+")


class Kind(StrEnum):
    """What is wrong, as a person would name it."""

    FIELD_LOST = "field-lost"
    ROUNDING = "rounding"
    LIST_ORDER = "list-order"
    SORT = "sort"
    STATUS = "status"
    NULL_ABSENT = "null-absent"
    ENCODING = "encoding"
    PAGING = "paging"
    TIME_ZONE = "time-zone"
    HEADER = "header"
    OTHER = "other"


@dataclass(frozen=True)
class Difference:
    """One place at which the answers differ: `body.products[12].price`. The values are shortened, None is absent."""

    path: str
    kind: Kind
    legacy: str | None = None
    modern: str | None = None


def shown(value: Node) -> str:
    """A value as a sample keeps it: short, and without the customer, who stands in the head of every page."""
    text = _ADDRESS.sub("(e-mail)", value if isinstance(value, str) else repr(value))
    return text if len(text) <= SHOWN else text[: SHOWN - 1] + "…"


def within(path: str, noisy: frozenset[str]) -> bool:
    """Whether `path` is one of these places or lies inside of one."""
    return any(path == each or path.startswith((f"{each}.", f"{each}[")) for each in noisy)
