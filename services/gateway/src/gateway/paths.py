"""Which request targets are let in: checked raw, before routing, and forwarded byte for byte as checked.

A check on a decoded path guards nothing: the next server decodes once more, or otherwise, and `%2e%2e` or `..%2f`
walks out of the prefix that was allowed. So whatever two parsers could read differently is refused, not normalised.
"""

import re
from typing import NamedTuple

# RFC 3986 pchar without `%`, and percent-encoded bytes; `.`, `/`, `\`, `%` and control characters may not be
# encoded: each of them changes its meaning when it is decoded once more.
_ENCODED = rb"%(?!2[EeFf5]|5[Cc]|[01][0-9A-Fa-f]|7[Ff])[0-9A-Fa-f]{2}"
_CHARACTER = rb"(?:[A-Za-z0-9\-._~!$&'()*+,;=:@]|" + _ENCODED + rb")"
_DOTS = rb"(?!\.{1,2}(?:[/;]|\Z))"
_CLEAN = re.compile(rb"(?:/" + _DOTS + _CHARACTER + rb"+)*/?")
# The same without percent and without a segment that begins with a dot: nearly every request.
_PLAIN = re.compile(rb"(?:/[A-Za-z0-9\-_~][A-Za-z0-9\-._~]*)+")
_QUERY = re.compile(rb"(?!.*%00)[!\"$-~]*")

MAX_TARGET = 8192


class TargetRefused(Exception):
    """The request target is not one that every parser reads alike; the text says why."""


class Target(NamedTuple):
    """A target that passed: `raw` is what to forward, `path` what to route by."""

    raw: bytes
    path: bytes


def check(raw: bytes) -> Target:
    """The target, unchanged; raises `TargetRefused`."""
    path, mark, query = raw.partition(b"?")
    if _PLAIN.fullmatch(path) is None:
        _check_closely(path)
    if mark and _QUERY.fullmatch(query) is None:
        raise TargetRefused("the query holds a character that must be percent-encoded, or a NUL")
    if len(raw) > MAX_TARGET:
        raise TargetRefused("the request target is too long")
    return Target(raw, path)


def _check_closely(path: bytes) -> None:
    if not path.startswith(b"/"):
        raise TargetRefused("the request target must be a path")
    if _CLEAN.fullmatch(path) is None:
        raise TargetRefused("the path has empty or dot segments, or characters or encodings that are not accepted")
    if not _is_utf8(path):
        raise TargetRefused("the path's percent-encoding is not UTF-8")


def _is_utf8(path: bytes) -> bool:
    try:
        re.sub(rb"%([0-9A-Fa-f]{2})", lambda m: bytes.fromhex(m[1].decode()), path).decode()
    except UnicodeDecodeError:
        return False
    return True
