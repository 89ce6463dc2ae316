"""The queries of inventory, built once; SQLAlchemy compiles each once.

Locks are taken in one order everywhere, reservations before stock and stock by ISBN, so that commands which want the
same books queue up instead of deadlocking. A command writes in one statement: round trips decide the throughput.
"""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from inventory.domain import MAX_RECEIVED
from inventory.storage.tables import reservation, reservation_line, stock


def _array(name: str, type_: Any) -> sa.BindParameter[Any]:
    return sa.bindparam(name, type_=sa.ARRAY(type_))


LOADED = (
    reservation.c.order_id,
    reservation.c.state,
    reservation.c.version,
    reservation.c.reason,
    reservation.c.isbn,
    reservation.c.expires_at,
)
_WITH_LINES = sa.select(*LOADED, reservation_line.c.isbn.label("line"), reservation_line.c.quantity).select_from(
    reservation.outerjoin(reservation_line)
)
LOAD = _WITH_LINES.where(reservation.c.order_id == sa.bindparam("order_id")).with_for_update(of=reservation)

# The state is written out: with a parameter, PostgreSQL could not prove that the partial index of held ones applies.
_DUE = (
    sa.select(reservation.c.order_id)
    .where(reservation.c.state == sa.literal_column("'held'"), reservation.c.expires_at <= sa.bindparam("now"))
    .order_by(reservation.c.expires_at)
    .limit(sa.bindparam("limit"))
    .with_for_update(skip_locked=True)
    .cte("due")
)
LOAD_DUE = _WITH_LINES.where(reservation.c.order_id.in_(sa.select(_DUE.c.order_id)))

_LEVEL = (stock.c.isbn, stock.c.received, stock.c.on_hand, stock.c.reserved)
STOCKS = sa.select(*_LEVEL).where(stock.c.isbn == sa.any_(_array("isbns", sa.Text)))
LOCK_STOCK = (
    sa.select(stock.c.isbn, (stock.c.on_hand - stock.c.reserved).label("available"))
    .where(stock.c.isbn == sa.any_(_array("isbns", sa.Text)))
    .order_by(stock.c.isbn)
    .with_for_update(key_share=True)
)


def _settled(
    on_hand: sa.ColumnElement[int], reserved: sa.ColumnElement[int], *, sold_already: bool = False
) -> dict[str, sa.ColumnElement[int]]:
    """What is on hand and what is oversold, once so many would be on hand and reserved.

    Free copies go to those who bought them in the old shop without their being there. Where copies are too few, a sale
    of that shop is oversold; a command of ours ends with fewer on hand than reserved, which the table refuses.
    """
    free = on_hand - reserved
    least = sa.literal(0) if sold_already else sa.func.least(free, 0)
    left = sa.func.greatest(free - stock.c.oversold, least)
    return {"on_hand": reserved + left, "oversold": stock.c.oversold - free + left}


def _move_stock(*, sold_already: bool = False) -> sa.CTE:
    """Lock the rows in order, then add `add_on_hand` and `add_reserved` to the books `move_isbns`."""
    isbns = _array("move_isbns", sa.Text)
    moved = (
        sa.func.unnest(isbns, _array("add_on_hand", sa.Integer), _array("add_reserved", sa.Integer))
        .table_valued(sa.column("isbn", sa.Text), sa.column("on_hand", sa.Integer), sa.column("reserved", sa.Integer))
        .render_derived(name="moved")
    )
    ordered = sa.select(stock.c.isbn, stock.c.oversold).where(stock.c.isbn == sa.any_(isbns)).order_by(stock.c.isbn)
    locked = ordered.with_for_update(key_share=True).cte("locked")
    on_hand, reserved = stock.c.on_hand + moved.c.on_hand, stock.c.reserved + moved.c.reserved
    return (
        sa.update(stock)
        .values(**_settled(on_hand, reserved, sold_already=sold_already), reserved=reserved)
        .where(stock.c.isbn == locked.c.isbn, moved.c.isbn == locked.c.isbn)
        .returning((stock.c.oversold - locked.c.oversold).label("owed"))
        .cte("stock_moved")
    )


def _insert_reservation(*, sold_already: bool = False) -> sa.Select[Any]:
    """Insert a reservation with its lines and move the stock; selects nothing when the order has one already.

    Of what was sold already it selects how many copies are owed by now.
    """
    added = (
        insert(reservation)
        .values({column.name: sa.bindparam(f"new_{column.name}", type_=column.type) for column in LOADED})
        .on_conflict_do_nothing()
        .returning(reservation.c.order_id)
        .cte("added")
    )
    lines = (
        sa.func.unnest(_array("isbns", sa.Text), _array("quantities", sa.Integer))
        .table_valued(sa.column("isbn", sa.Text), sa.column("quantity", sa.Integer))
        .render_derived(name="line")
    )
    each = added.join(lines, sa.true())
    rows = sa.select(added.c.order_id, lines.c.isbn, lines.c.quantity).select_from(each)
    lines_added = insert(reservation_line).from_select(["order_id", "isbn", "quantity"], rows)
    cte = lines_added.returning(reservation_line.c.isbn).cte("lines_added")
    moved = _move_stock(sold_already=sold_already)
    if sold_already:
        owed = sa.select(sa.func.coalesce(sa.func.sum(moved.c.owed), 0)).scalar_subquery()
        return sa.select(owed.label("owed"), added.c.order_id).add_cte(cte)
    return sa.select(added.c.order_id).add_cte(cte, moved)


def _update_reservations() -> sa.Select[Any]:
    """Store the new states of any number of reservations and move the stock of them all."""
    columns = [(column.name, column.type) for column in LOADED]
    values = (
        sa.func.unnest(*(_array(f"new_{name}", type_) for name, type_ in columns))
        .table_valued(*(sa.column(name, type_) for name, type_ in columns))
        .render_derived(name="new")
    )
    changed = {name: values.c[name] for name, _ in columns[1:]}
    updated = (
        sa.update(reservation)
        .values(**changed, updated_at=sa.func.now())
        .where(reservation.c.order_id == values.c.order_id)
        .returning(reservation.c.order_id)
        .cte("updated")
    )
    return sa.select(sa.func.count()).select_from(updated).add_cte(_move_stock())


INSERT = _insert_reservation()
INSERT_SOLD = _insert_reservation(sold_already=True)
UPDATE = _update_reservations()

_delivery = insert(stock).values(
    isbn=sa.bindparam("of"), received=sa.bindparam("quantity"), on_hand=sa.bindparam("quantity"), reserved=0
)
RECEIVE = _delivery.on_conflict_do_update(
    index_elements=[stock.c.isbn],
    set_={
        "received": stock.c.received + _delivery.excluded.received,
        **_settled(stock.c.on_hand + _delivery.excluded.on_hand, stock.c.reserved),
    },
    where=stock.c.received <= MAX_RECEIVED - _delivery.excluded.received,
).returning(*_LEVEL)

INTRODUCE = (
    insert(stock)
    .values(
        isbn=sa.bindparam("of"),
        received=sa.bindparam("quantity"),
        on_hand=sa.bindparam("quantity"),
        reserved=0,
        legacy_version=sa.bindparam("version"),
    )
    .on_conflict_do_nothing()
)
LOCK_BASELINE = (
    sa.select(stock.c.legacy_version).where(stock.c.isbn == sa.bindparam("of")).with_for_update(key_share=True)
)
_added = sa.bindparam("quantity", type_=sa.Integer)
ADJUST = (
    sa.update(stock)
    .values(
        received=stock.c.received + _added,
        **_settled(stock.c.on_hand + _added, stock.c.reserved, sold_already=True),
    )
    .where(stock.c.isbn == sa.bindparam("of"), stock.c.received <= MAX_RECEIVED - _added)
)
