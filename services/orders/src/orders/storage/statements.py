"""The statements of orders, built once.

A move of the saga touches three tables, and there are three moves to an order. They are written in one statement: two
round trips fewer for each move, which is what a checkout mostly spends its time on.
"""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from orders.storage.tables import heard_price, history, orders, saga

_of = sa.bindparam("of", type_=sa.Uuid)


def _set(table: sa.Table, *names: str) -> dict[str, sa.BindParameter[object]]:
    """Parameters for columns, named `table_column`: SQLAlchemy keeps a column's own name to itself."""
    return {name: sa.bindparam(f"{table.name}_{name}", type_=table.c[name].type) for name in names}


_unnested = sa.func.unnest(sa.bindparam("events", type_=sa.ARRAY(sa.Text)))
_events = _unnested.table_valued("event", with_ordinality="place").render_derived()
_told = (
    insert(history)
    .from_select(
        ["order_id", "event", "at"],
        sa.select(_of, _events.c.event, sa.bindparam("at", type_=history.c.at.type)).order_by(_events.c.place),
    )
    .cte("told")
)
_SAGA = ("step", "direction", "attempt", "due_at", "saga_reason")
_begun = insert(saga).values(order_id=_of, **_set(saga, *_SAGA)).cte("begun")
_moved = sa.update(saga).where(saga.c.order_id == _of).values(_set(saga, *_SAGA)).cte("moved")
_time = history.c.at.type
_IMPORTED = ("customer_id", "state", "reason", "lines", "total_amount", "currency", "placed_at")
_CHANGING = (
    "state",
    "reason",
    "card_token",
    "updated_at",
    "version",
)  # only by a transition, which counts the version up

# The number comes back with the insert: asked for beforehand it would be a round trip of its own.
_ADDED = tuple(name for name in orders.c.keys() if name not in ("number", "legacy_version"))  # noqa: SIM118
ADD = insert(orders).values(_set(orders, *_ADDED)).returning(orders.c.number).add_cte(_begun, _told)
SAVE = (
    sa.update(orders)
    .where(orders.c.id == _of, orders.c.version < sa.bindparam("orders_version", type_=sa.Integer))
    .values(_set(orders, *_CHANGING))
    .add_cte(_moved, _told)
)

# An order of the old shop: the newest version stays, in whatever order they come, and an order of our own is never
# touched. What is told again without a change (a snapshot tells everything) counts as no change here either; that it
# was one is seen by the row's time, which is this statement's.
_taken = insert(orders).values(_set(orders, *orders.c.keys()))
_at = sa.bindparam("at", type_=_time)
_differs = sa.tuple_(*(orders.c[name] for name in _IMPORTED)).is_distinct_from(
    sa.tuple_(*(_taken.excluded[name] for name in _IMPORTED))
)
_taken_over = _taken.on_conflict_do_update(
    index_elements=[orders.c.id],
    set_={
        **{name: _taken.excluded[name] for name in (*_IMPORTED, "legacy_version")},
        "version": orders.c.version + sa.case((_differs, 1), else_=0),
        "updated_at": sa.case((_differs, _at), else_=orders.c.updated_at),
    },
    where=sa.and_(orders.c.origin == "legacy", orders.c.legacy_version < _taken.excluded.legacy_version),
)
_row = _taken_over.returning(orders.c.id, orders.c.updated_at).cte("taken_over")
_ended = (
    insert(saga)
    .from_select(
        ["order_id", *_SAGA],
        sa.select(_row.c.id, *(sa.bindparam(f"saga_{name}", type_=saga.c[name].type) for name in _SAGA)),
    )
    .on_conflict_do_nothing()
    .cte("ended")
)
TAKE_OVER = (
    insert(history)
    .from_select(
        ["order_id", "event", "at"],
        sa.select(_row.c.id, sa.literal("imported", sa.Text), _at).where(_row.c.updated_at == _at),
    )
    .add_cte(_ended)
)

_both = sa.select(orders, saga).join(saga, saga.c.order_id == orders.c.id)
# Both rows are locked: of a row that is not, whoever had to wait reads what it was before the wait.
LOAD = _both.where(orders.c.id == _of).with_for_update(key_share=True)
OVERDUE = (
    _both.where(saga.c.direction != "ended", saga.c.due_at <= sa.bindparam("now"))
    .order_by(saga.c.due_at)
    .limit(sa.bindparam("most"))
    .with_for_update(key_share=True, skip_locked=True)
)
# Of the partial index: what has ended, which is nearly everything, is not looked at.
OPEN = (
    sa.select(
        saga.c.direction,
        sa.func.count().label("open"),
        sa.func.extract("epoch", sa.func.now() - sa.func.min(orders.c.placed_at)).label("age"),
    )
    .join(orders, orders.c.id == saga.c.order_id)
    .where(saga.c.direction != "ended")
    .group_by(saga.c.direction)
)
READ = sa.select(orders).where(orders.c.id == _of)
READ_NUMBERED = sa.select(orders).where(orders.c.number == sa.bindparam("numbered", type_=orders.c.number.type))
# By the index of the customer, and sorted: a customer has hundreds, not thousands.
ENDED_BY_NUMBER = (
    sa.select(orders)
    .where(
        orders.c.customer_id == sa.bindparam("customer", type_=sa.Uuid),
        orders.c.state.in_(("confirmed", "cancelled")),
    )
    .order_by(orders.c.number.desc())
    .limit(sa.bindparam("most"))
)
HISTORY = sa.select(history.c.event, history.c.at).where(history.c.order_id == _of).order_by(history.c.id)

_heard = insert(heard_price)
HEAR = _heard.on_conflict_do_update(
    index_elements=[heard_price.c.isbn],
    set_={c.name: _heard.excluded[c.name] for c in heard_price.c if not c.primary_key},
    where=heard_price.c.version < _heard.excluded.version,
)
