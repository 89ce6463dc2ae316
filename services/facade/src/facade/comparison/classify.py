"""What is wrong with a single value, when two are not equal."""

import html
import re
import unicodedata
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal
from urllib.parse import parse_qsl, urlsplit

from facade.comparison.difference import Kind, Node

STATUS_NAMES = frozenset({"ok", "status"})
_OLD_TIME = "%d.%m.%Y %H:%M:%S"
_TIME = re.compile(
    r"\d{2}\.\d{2}\.\d{4} \d{2}:\d{2}:\d{2}"
    r"|\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}:\d{2}(?:\.\d+)?(?:Z|[+-]\d{2}:?\d{2})?"
)
_MONEY = re.compile(r"(?<![\d.])-?\d+(?:\.\d+)?(?![\d.])")
_AMOUNT = re.compile(r"-?\d+\.\d{1,2}")
_FURTHEST_ZONE = 14 * 3600
_QUARTER = 15 * 60
_REPLACED = "\ufffd?"


def amount(value: Node) -> int | None:
    """Minor units of a decimal price, written as the old shop does; None when it is no price."""
    if isinstance(value, str) and _AMOUNT.fullmatch(value):
        return _minor(value)
    return None


def classify(path: str, legacy: Node, modern: Node) -> Kind:
    """The kind of a difference between two unequal values, of which neither is a list or an object."""
    name = re.split(r"[.\]]", path)[-1].lower()
    if path.startswith("headers."):
        return Kind.HEADER
    if name in STATUS_NAMES or path == "status":
        return Kind.STATUS
    if name == "next" or _other_page(legacy, modern):
        return Kind.PAGING
    if (legacy is None and modern == "") or (legacy == "" and modern is None):
        return Kind.NULL_ABSENT
    if modern is None or modern == "":
        return Kind.FIELD_LOST
    if isinstance(legacy, str) and isinstance(modern, str):
        return _texts(legacy, modern)
    return Kind.ROUNDING if _rounded(str(legacy), str(modern)) else Kind.OTHER


def _texts(legacy: str, modern: str) -> Kind:
    if legacy.startswith("Status:") and modern.startswith("Status:"):
        return Kind.STATUS
    if _only_differ(_TIME, legacy, modern, _other_zone):
        return Kind.TIME_ZONE
    if _only_differ(_MONEY, legacy, modern, _rounded):
        return Kind.ROUNDING
    return Kind.ENCODING if _badly_encoded(legacy, modern) else Kind.OTHER


def _only_differ(pattern: re.Pattern[str], legacy: str, modern: str, explained: Callable[[str, str], bool]) -> bool:
    """Whether the texts are the same but for what the pattern finds, and each such pair is explained."""
    ours, theirs = pattern.findall(legacy), pattern.findall(modern)
    if not ours or len(ours) != len(theirs) or pattern.sub("", legacy) != pattern.sub("", modern):
        return False
    return all(explained(a, b) for a, b in zip(ours, theirs, strict=True) if a != b)


def _minor(text: str) -> int:
    return int((Decimal(text) * 100).to_integral_value(ROUND_HALF_UP))


def _rounded(legacy: str, modern: str) -> bool:
    if not (_MONEY.fullmatch(legacy) and _MONEY.fullmatch(modern)) or "." not in legacy + modern:
        return False
    return abs(_minor(legacy) - _minor(modern)) < 100


def _other_zone(legacy: str, modern: str) -> bool:
    try:
        apart = abs((_moment(legacy) - _moment(modern)).total_seconds())
    except ValueError:  # the 31st of February
        return False
    return 0 < apart <= _FURTHEST_ZONE and apart % _QUARTER == 0


def _moment(text: str) -> datetime:
    # What a clock on the wall shows, whatever zone it names: that is what the reader of the answer sees.
    if "." in text[:3]:
        return datetime.strptime(text, _OLD_TIME).replace(tzinfo=UTC)
    return datetime.fromisoformat(text).replace(tzinfo=UTC, microsecond=0)


def _badly_encoded(legacy: str, modern: str) -> bool:
    if _plain(legacy) == _plain(modern) or _replaced(legacy, modern):
        return True
    return any(_reread(a, charset) == b for a, b in ((legacy, modern), (modern, legacy)) for charset in _CHARSETS)


_CHARSETS = ("latin-1", "cp1252")


def _plain(text: str) -> str:
    for _ in range(2):
        text = html.unescape(text)
    return unicodedata.normalize("NFKC", text)


def _reread(text: str, charset: str) -> str | None:
    try:
        return text.encode(charset).decode()
    except UnicodeError:
        return None


def _replaced(legacy: str, modern: str) -> bool:
    """Whether letters beyond ASCII, and only they, were replaced or lost their marks."""
    if len(legacy) != len(modern):
        return False
    pairs = [(a, b) for a, b in zip(legacy, modern, strict=True) if a != b]
    return all(not a.isascii() and (b in _REPLACED or unicodedata.normalize("NFD", a)[0] == b) for a, b in pairs)


def _other_page(legacy: Node, modern: Node) -> bool:
    if not (isinstance(legacy, str) and isinstance(modern, str) and "start=" in legacy + modern):
        return False
    ours, theirs = urlsplit(legacy), urlsplit(modern)
    return ours.path == theirs.path and _but_start(ours.query) == _but_start(theirs.query)


def _but_start(query: str) -> list[tuple[str, str]]:
    return [pair for pair in parse_qsl(query, keep_blank_values=True) if pair[0] != "start"]
