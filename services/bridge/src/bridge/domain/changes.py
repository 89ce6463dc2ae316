"""Recorded changes, and what a transaction of them means."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from bridge.domain.told import BookTold, CustomerTold, OrderTold, Row, StockTold, Told

_DESCRIBED = ("isbn", "title", "author", "year", "price")
_OF_ORDER = {"order_items": "orders"}


@dataclass(frozen=True)
class Change:
    """A recorded change of one row; `origin` is SHOP where bridge itself wrote it back."""

    id: int
    tx: str
    at: datetime
    table: str
    op: str
    old: Row | None
    new: Row | None
    origin: str | None


def tell(changes: Sequence[Change]) -> list[Told]:
    """What one transaction of the old shop means to the new one. What bridge wrote back is not told: it would echo.

    Several changes of a row are told of once, by the id of the last. Stock that moved together with an order is the
    order's own matter. Nothing is told of a deleted row: the old shop deletes none.
    """
    rows: dict[tuple[str, int], tuple[Change, Change]] = {}
    for change in changes:
        if change.origin is None:
            key = (_OF_ORDER.get(change.table, change.table), _key(change))
            rows[key] = (rows[key][0] if key in rows else change, change)
    with_order = any(table == "orders" for table, _ in rows)
    return [told for (table, key), span in rows.items() for told in _tell(table, key, *span, with_order=with_order)]


def _tell(table: str, key: int, first: Change, last: Change, *, with_order: bool) -> list[Told]:
    if table == "orders":
        return [OrderTold(key, last.id)]
    if last.new is None or table not in ("products", "customers"):
        return []
    if table == "customers":
        return [CustomerTold.of(last.new, last.id)]
    return _products(first.old, last.new, last.id, with_order=with_order)


def _products(old: Row | None, new: Row, version: int, *, with_order: bool) -> list[Told]:
    told: list[Told] = []
    if old is not None and old["stock"] != new["stock"] and not with_order:
        told.append(StockTold(new["isbn"], new["stock"] - old["stock"], version))
    if old is None or any(old[name] != new[name] for name in _DESCRIBED):
        told.append(BookTold.of(new, new["stock"] if old is None else None, version))
    return told


def _key(change: Change) -> int:
    row = change.new or change.old or {}
    return int(row.get("order_id" if change.table == "order_items" else "id", 0))
