"""How things look from outside: the JSON of the API and the pages. Plain values in, text out; knows no request."""

import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

_pages = Environment(loader=PackageLoader("legacy", "templates"), autoescape=True, undefined=StrictUndefined)

Values = dict[str, Any]


def answer(**values: Any) -> str:
    """The body of a good answer."""
    return json.dumps({"ok": 1, **values})


def error(text: str, **values: Any) -> str:
    """The body of a bad one."""
    return json.dumps({"ok": 0, "error": text, **values})


def page(template: str, **values: Any) -> str:
    """A page; what each template needs is in the README."""
    return _pages.get_template(template).render(values)


def price(amount: Decimal) -> str:
    """`24.99`."""
    return f"{amount:.2f}"


def moment(when: datetime) -> str:
    """`24.11.2026 16:05:33`."""
    return f"{when:%d.%m.%Y %H:%M:%S}"


def product(row: Mapping[str, Any]) -> Values:
    """A row of `products`."""
    return {
        "id": row["id"],
        "isbn": row["isbn"],
        "title": row["title"],
        "author": row["author"],
        "year": row["year"],
        "price": price(row["price"]),
        "avail": "Y" if row["stock"] > 0 else "N",
    }


def order(row: Mapping[str, Any], items: Iterable[Mapping[str, Any]]) -> Values:
    """A row of `orders` with its items in the order of their lines."""
    return {
        "id": row["id"],
        "status": row["status"],
        "total": price(row["total"]),
        "created": moment(row["created"]),
        "items": [
            {"id": item["product_id"], "title": item["title"], "qty": item["qty"], "price": price(item["price"])}
            for item in items
        ],
    }


def customer(row: Mapping[str, Any]) -> Values:
    """A row of `customers`: never the password."""
    return {"id": row["id"], "email": row["email"], "name": row["name"]}


def basket_line(row: Mapping[str, Any], quantity: int) -> Values:
    """A row of `products` in the basket."""
    return {
        "id": row["id"],
        "title": row["title"],
        "qty": quantity,
        "price": price(row["price"]),
        "amount": price(row["price"] * quantity),
    }
