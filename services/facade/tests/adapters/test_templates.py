"""The pages are the old shop's own: the same files, rendered to the same text."""

from pathlib import Path
from typing import Any

import pytest

import facade.adapters
import legacy
from facade.adapters import render
from legacy import render as old

OURS = Path(facade.adapters.__file__).parents[1] / "templates"
THEIRS = Path(legacy.__file__).parent / "templates"
AWKWARD = 'Émile & "Co" <b>\' – \u00a0x'
PRODUCT = {"id": 12, "title": AWKWARD, "author": AWKWARD, "isbn": "9799001000010", "year": 1762, "price": "24.99"}
LINE = {"id": 12, "title": AWKWARD, "qty": 2, "price": "24.99", "amount": "49.98"}
ORDER = {"id": 7, "status": "X", "total": "49.98", "created": "24.11.2026 16:05:33", "items": [LINE]}
FRAME = {"title": AWKWARD, "message": AWKWARD, "query": AWKWARD, "basket_count": 3, "csrf": "c0ffee"}
PAGES: dict[str, dict[str, Any]] = {
    "basket.html": {"lines": [LINE], "total": "49.98"},
    "book.html": {"product": {**PRODUCT, "avail": "Y"}},
    "checkout.html": {"lines": [LINE], "total": "49.98"},
    "list.html": {"products": [{**PRODUCT, "avail": "N"}], "start": 3, "next": 12, "path": "/legacy/search"},
    "login.html": {"email": AWKWARD},
    "message.html": {},
    "order.html": {"order": ORDER},
    "orders.html": {"orders": [ORDER]},
    "register.html": {"email": AWKWARD, "name": AWKWARD},
}


def test_the_templates_are_the_old_shops_to_the_byte() -> None:
    ours, theirs = ({file.name: file.read_bytes() for file in folder.iterdir()} for folder in (OURS, THEIRS))
    assert ours == theirs
    assert set(ours) == {*PAGES, "layout.html"}


@pytest.mark.parametrize("template", PAGES)
@pytest.mark.parametrize("customer", [None, AWKWARD])
def test_a_page_is_rendered_as_the_old_shop_does(template: str, customer: str | None) -> None:
    values = {**FRAME, "customer": customer, **PAGES[template]}
    assert render.page(template, 200, **values).body == old.page(template, **values).encode()
