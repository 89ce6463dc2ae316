"""How things look in the old shop: its JSON and its pages. Values of the new services in, text out."""

import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from jinja2 import Environment, PackageLoader, StrictUndefined

from facade.legacy_http import LegacyResponse
from facade.shop_clients.books import Book, Name
from facade.shop_clients.orders import Line, Order

BERLIN = ZoneInfo("Europe/Berlin")
PAID, REFUSED = "P", "X"
Values = dict[str, Any]
_pages = Environment(loader=PackageLoader("facade", "templates"), autoescape=True, undefined=StrictUndefined)


def answer(**values: Any) -> LegacyResponse:
    """A good answer of the JSON API."""
    return _json({"ok": 1, **values})


def error(text: str, **values: Any) -> LegacyResponse:
    """A bad one: 200 as well."""
    return _json({"ok": 0, "error": text, **values})


def page(template: str, status: int, **values: Any) -> LegacyResponse:
    """A page."""
    return html(_pages.get_template(template).render(values), status)


def html(text: str, status: int, *headers: tuple[str, str]) -> LegacyResponse:
    """Text for a browser."""
    return _response(text.encode(), "text/html; charset=utf-8", status, *headers)


def text(words: str) -> LegacyResponse:
    """Text for nobody in particular."""
    return _response(words.encode(), "text/plain; charset=utf-8", 200)


def price(minor: int) -> str:
    """`24.99`."""
    return f"{minor // 100}.{minor % 100:02d}"


def moment(when: datetime) -> str:
    """`24.11.2026 16:05:33`: the time on the wall in Berlin."""
    return f"{when.astimezone(BERLIN):%d.%m.%Y %H:%M:%S}"


def product(book: Book, available: int) -> Values:
    """A book with what is left of it."""
    return {
        "id": book.number,
        "isbn": book.isbn,
        "title": book.title,
        "author": book.author,
        "year": book.year,
        "price": price(book.price),
        "avail": "Y" if available > 0 else "N",
    }


def order(placed: Order, names: Mapping[str, Name]) -> Values:
    """An order that has ended; `names` has each of its books."""
    return {
        "id": placed.number,
        "status": PAID if placed.state == "confirmed" else REFUSED,
        "total": price(placed.total),
        "created": moment(placed.placed_at),
        "items": items(placed.lines, names),
    }


def items(lines: Iterable[Line], names: Mapping[str, Name]) -> list[Values]:
    """The lines of an order, under today's titles."""
    return [
        {
            "id": names[line.isbn].number,
            "title": names[line.isbn].title,
            "qty": line.quantity,
            "price": price(line.unit_price),
        }
        for line in lines
    ]


def basket_line(book: Book, quantity: int) -> Values:
    """A book in the basket."""
    return {
        "id": book.number,
        "title": book.title,
        "qty": quantity,
        "price": price(book.price),
        "amount": price(book.price * quantity),
    }


def _json(values: Values) -> LegacyResponse:
    return _response(json.dumps(values).encode(), "application/json", 200)


def _response(body: bytes, content_type: str, status: int, *headers: tuple[str, str]) -> LegacyResponse:
    own = (("Content-Type", content_type), ("Content-Length", str(len(body))))
    return LegacyResponse(status, (*headers, *own), body)
