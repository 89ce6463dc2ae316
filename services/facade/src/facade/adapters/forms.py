"""What comes in with a request, read as the old shop and its framework read it."""

import binascii
import json
import re
from base64 import b64decode
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

from facade.adapters.errors import BadRequest
from facade.legacy_http import LegacyRequest

LARGEST_BODY = 64 * 1024
LONGEST_SEARCH = 100
MAX_ITEMS, MAX_QUANTITY = 20, 100
_NUMBER = re.compile(r"[0-9]{1,9}")
_STRAY_BYTE = re.compile("[\udc80-\udcff]")
_FORM = "application/x-www-form-urlencoded"
Item = tuple[int, int]  # number of a book, quantity


class BodyTooLarge(Exception):
    """More than the old shop reads."""


def query(request: LegacyRequest) -> Mapping[str, str]:
    """The values of the address; of several under one name the first."""
    return _pairs(_utf8(request.query))


def form(request: LegacyRequest) -> Mapping[str, str]:
    """The values of a form; raises `BodyTooLarge`."""
    sent = request.header("content-type") or ""
    body = _body(request)
    if sent.partition(";")[0].strip().lower() != _FORM:
        return {}
    try:
        return _pairs(body.decode())
    except UnicodeDecodeError:
        return {}


def json_body(request: LegacyRequest) -> dict[str, Any]:
    """The object of the body, whatever its type is said to be; raises `BadRequest`, `BodyTooLarge`."""
    try:
        body = json.loads(_body(request))
    except ValueError:
        raise BadRequest from None
    if not isinstance(body, dict):
        raise BadRequest
    return body


def credentials(request: LegacyRequest) -> tuple[str, str] | None:
    """E-mail address and password of HTTP Basic (RFC 7617)."""
    scheme, _, rest = (request.header("authorization") or "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        email, _, password = b64decode(rest.strip(" \t"), validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        return None
    return email, password


def address(request: LegacyRequest) -> str | None:
    """The customer's, as the gateway saw it: the last but one, for the last is the gateway's own."""
    seen = (request.header("x-forwarded-for") or "").split(",")
    return seen[-2:][0].strip() or None


def wanted(body: Mapping[str, Any]) -> tuple[list[Item], str]:
    """What an order asks for, each book once, and the card; raises `BadRequest`."""
    listed = body.get("items")
    if not isinstance(listed, list) or not 1 <= len(listed) <= MAX_ITEMS:
        raise BadRequest
    items = [_item(each) for each in listed]
    if len({book for book, _ in items}) < len(items):
        raise BadRequest
    return items, words(body, "card")


def words(body: Mapping[str, Any], key: str) -> str:
    """A text that is there and can be printed; raises `BadRequest`."""
    value = body.get(key)
    if not isinstance(value, str) or not is_text(value, len(value)):
        raise BadRequest
    return value


def whole_number(text: str | None, default: int) -> int:
    """Up to nine digits; whatever else stands there counts as not given."""
    return int(text) if text is not None and _NUMBER.fullmatch(text) else default


def printable(text: str) -> str:
    """The words of a search, without what nobody can have typed."""
    return "".join(each for each in text if each.isprintable())[:LONGEST_SEARCH]


def is_text(value: str, longest: int) -> bool:
    """Whether it is there, not too long, and free of what cannot be printed."""
    return 0 < len(value) <= longest and value.isprintable()


def _item(value: Any) -> Item:
    found = (value.get("id"), value.get("qty")) if isinstance(value, dict) else (None, None)
    match found:
        case (int(book), int(quantity)) if book >= 1 and 1 <= quantity <= MAX_QUANTITY:
            if not isinstance(book, bool) and not isinstance(quantity, bool):
                return book, quantity
    raise BadRequest


def _body(request: LegacyRequest) -> bytes:
    if len(request.body) > LARGEST_BODY:
        raise BodyTooLarge
    return request.body


def _pairs(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in parse_qsl(text, keep_blank_values=True, errors="surrogateescape"):
        found.setdefault(_kept(name), _kept(value))
    return found


def _kept(text: str) -> str:
    # What is no UTF-8 stays as it was sent.
    return _STRAY_BYTE.sub(lambda stray: f"%{ord(stray[0]) - 0xDC00:02X}", text)


def _utf8(text: str) -> str:
    # An address should be ASCII; where it is not, each character stands for a byte.
    try:
        return text.encode("latin-1").decode()
    except UnicodeError:
        return text
