"""What replicas report of themselves, and what a cut-over has to know of them."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from chassis.storage import Database
from facade.cutover import ABANDONED_SECONDS, PLACED_SECONDS
from facade.domain import Abandoned, Capability, Stage, Standing
from facade.stages import WRITE_SECONDS, Report, Seen
from facade.storage.rows import to_standing
from facade.storage.tables import mismatch, placed, presence, standing

# Longer than a replica goes by an old view (`stages.VIEW_SECONDS`): one that is not counted begins no write any more.
ALIVE_SECONDS = 2
KEPT_SECONDS = PLACED_SECONDS


def _ago(seconds: float) -> sa.ColumnElement[Any]:
    return sa.func.now() - sa.literal(timedelta(seconds=seconds), sa.Interval)


# One round trip, ten times a second from each replica.
_reports = (
    sa.func.unnest(
        sa.bindparam("capabilities", type_=sa.ARRAY(sa.Text)),
        sa.bindparam("generations", type_=sa.ARRAY(sa.BigInteger)),
        sa.bindparam("in_flight", type_=sa.ARRAY(sa.Integer)),
    )
    .table_valued("capability", "generation", "in_flight")
    .render_derived()
)
_told = insert(presence).from_select(
    ["replica", "capability", "generation", "in_flight"],
    sa.select(
        sa.bindparam("replica", type_=sa.Uuid), _reports.c.capability, _reports.c.generation, _reports.c.in_flight
    ),
)
_reported = _told.on_conflict_do_update(
    index_elements=[presence.c.replica, presence.c.capability],
    set_={
        "generation": _told.excluded.generation,
        "in_flight": _told.excluded.in_flight,
        "seen_at": sa.func.now(),
    },
).cte("reported")
_look = sa.select(standing, (standing.c.parked_at < _ago(ABANDONED_SECONDS)).label("abandoned")).add_cte(_reported)
_leave = sa.delete(presence).where(presence.c.replica == sa.bindparam("replica", type_=sa.Uuid))
_behind = (
    sa.select(sa.func.count())
    .select_from(presence)
    .where(
        presence.c.capability == sa.bindparam("of", type_=sa.Text),
        sa.or_(
            presence.c.seen_at > _ago(ALIVE_SECONDS),
            sa.and_(presence.c.in_flight > 0, presence.c.seen_at > _ago(WRITE_SECONDS)),
        ),
        sa.or_(presence.c.generation < sa.bindparam("generation", type_=sa.BigInteger), presence.c.in_flight > 0),
    )
)
_note = insert(placed).values(number=sa.bindparam("number", type_=sa.BigInteger)).on_conflict_do_nothing()
_lately = (
    sa.select(placed.c.number)
    .where(placed.c.at > sa.func.now() - sa.bindparam("age", type_=sa.Interval))
    .order_by(placed.c.at.desc())
)


# Samples from before comparing began anew. What was counted then stays: it is part of the lifetime's totals.
_outdated = sa.delete(mismatch).where(
    mismatch.c.capability == standing.c.capability, mismatch.c.generation < standing.c.evidence_from
)


class SqlPresence:
    """Looks and reports for a replica, and answers what its cut-over asks."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def look(self, replica: UUID, reports: Sequence[Report]) -> Seen:
        told = {
            "replica": replica,
            "capabilities": [report.capability.value for report in reports],
            "generations": [report.generation for report in reports],
            "in_flight": [report.in_flight for report in reports],
        }
        async with self._database.autocommit() as connection:
            rows = (await connection.execute(_look, told)).all()
        bug = next((row.bug for row in rows if row.capability == Capability.CATALOG), None)
        gone = [Abandoned(to_standing(row), Stage(row.returns_to)) for row in rows if row.abandoned]
        return Seen([to_standing(row) for row in rows], bug, gone)

    async def leave(self, replica: UUID) -> None:
        async with self._database.autocommit() as connection:
            await connection.execute(_leave, {"replica": replica})

    async def behind(self, parked: Standing) -> int:
        key = {"of": parked.capability.value, "generation": parked.generation}
        async with self._database.autocommit() as connection:
            return int(await connection.scalar(_behind, key) or 0)

    async def note(self, number: int) -> None:
        """The new side has taken this order."""
        async with self._database.autocommit() as connection:
            await connection.execute(_note, {"number": number})

    async def placed_within(self, seconds: float) -> list[int]:
        async with self._database.autocommit() as connection:
            return list((await connection.scalars(_lately, {"age": timedelta(seconds=seconds)})).all())

    async def forget_old(self) -> None:
        """Delete what no cut-over asks for any more, and no operator is shown."""
        old = _ago(KEPT_SECONDS)
        async with self._database.autocommit() as connection:
            await connection.execute(sa.delete(presence).where(presence.c.seen_at < old))
            await connection.execute(sa.delete(placed).where(placed.c.at < old))
            await connection.execute(_outdated)
