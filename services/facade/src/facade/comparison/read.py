"""An answer as a tree of what it means: without what may differ between two good answers.

Dropped: spaces, the order and the spelling of JSON, markup that shows nothing, tokens against forgery, and all headers
but those that change what a client does.
"""

import json
from email.message import Message
from urllib.parse import urlsplit

from facade.comparison.difference import Node
from facade.comparison.page import read_page
from facade.legacy_http import LegacyResponse


def read(answer: LegacyResponse) -> Node:
    """`{"status": …, "headers": {…}, "body": …}`."""
    return {"status": answer.status, "headers": read_headers(answer), "body": _body(answer)}


def read_headers(answer: LegacyResponse) -> dict[str, Node]:
    """Those that change what a client does: what it takes the body for, keeps, follows, and sends back."""
    found: dict[str, Node] = {}
    if (content_type := answer.header("content-type")) is not None:
        found["content-type"] = ";".join(part.strip().lower().replace('"', "") for part in content_type.split(";"))
    if (cache := answer.header("cache-control")) is not None:
        found["cache-control"] = ",".join(sorted(part.strip().lower() for part in cache.split(",")))
    if (location := answer.header("location")) is not None:
        found["location"] = urlsplit(location)._replace(scheme="", netloc="").geturl()
    cookies = {value.partition("=")[0].strip() for name, value in answer.headers if name.lower() == "set-cookie"}
    if cookies:
        found["set-cookie"] = ", ".join(sorted(cookies))
    return found


def _body(answer: LegacyResponse) -> Node:
    header = Message()
    header["content-type"] = answer.header("content-type") or ""
    media_type = header.get_content_type()
    text = _decode(answer.body, header.get_content_charset("utf-8"))
    if media_type == "application/json":
        try:
            node: Node = json.loads(text)
        except (ValueError, RecursionError):
            return text
        return node
    return read_page(text) if media_type == "text/html" else text


def _decode(body: bytes, charset: str) -> str:
    """Bytes that do not fit their charset become what a reader would see."""
    try:
        return body.decode(charset, errors="replace")
    except LookupError:
        return body.decode(errors="replace")
