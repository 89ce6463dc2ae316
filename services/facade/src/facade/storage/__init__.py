"""Storage of the facade: standings and their audit trail, what replicas report, what they count."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import sqlalchemy as sa

from chassis.storage import Database
from facade.counting import Totals, summed
from facade.domain import Capability, Entry, Overtaken, Recorded, Stage, Standing
from facade.storage.counts import SqlCounts
from facade.storage.presence import SqlPresence
from facade.storage.rows import to_standing
from facade.storage.tables import audit, metadata, mismatch, standing, tally

__all__ = ["SqlCounts", "SqlPresence", "SqlStorage", "SqlUnitOfWork", "metadata"]

_named = standing.c.capability == sa.bindparam("of", type_=sa.Text)
_all = sa.select(standing)
# The generation in the condition is the lock: of two who have seen the same one the second finds no row.
_replace = (
    sa.update(standing)
    .where(_named, standing.c.generation == sa.bindparam("seen", type_=sa.BigInteger))
    .values(
        generation=standing.c.generation + 1,
        since=sa.func.now(),
        parked_at=sa.case((sa.bindparam("returns", type_=sa.Text).is_not(None), sa.func.now()), else_=None),
        returns_to=sa.bindparam("returns", type_=sa.Text),
        evidence_from=sa.case(
            (sa.bindparam("anew", type_=sa.Boolean), standing.c.generation + 1), else_=standing.c.evidence_from
        ),
    )
    .returning(standing)
)
_counting = (
    sa.join(tally, standing, tally.c.capability == standing.c.capability),
    tally.c.generation >= standing.c.evidence_from,
)
_compared = (
    sa.select(
        sa.func.coalesce(sa.func.sum(tally.c.matched + tally.c.mismatched), 0),
        sa.func.coalesce(sa.func.sum(tally.c.matched), 0),
    )
    .select_from(_counting[0])
    .where(_counting[1], _named)
)
_totals = sa.select(tally, _counting[1].label("counts")).select_from(_counting[0]).where(_named)
_trail = sa.select(audit).order_by(audit.c.id.desc())
_samples = (
    sa.select(mismatch)
    .select_from(sa.join(mismatch, standing, mismatch.c.capability == standing.c.capability))
    .where(_named, mismatch.c.generation >= standing.c.evidence_from)
    .order_by(mismatch.c.id.desc())
)
_FIGURES = tuple(Totals().columns())


class SqlUnitOfWork:
    """One transaction on the facade's database."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    async def compared(self, capability: Capability) -> tuple[int, int]:
        row = (await self._connection.execute(_compared, {"of": capability.value})).one()
        return int(row[0]), int(row[1])

    async def replace(
        self, before: Standing, after: Standing, entry: Entry, *, returns_to: Stage | None = None, anew: bool = False
    ) -> Standing:
        key = {"of": before.capability.value, "seen": before.generation, "anew": anew, "returns": returns_to}
        values = {"stage": after.stage.value, "percent": after.percent}
        row = (await self._connection.execute(_replace.values(values), key)).first()
        if row is None:
            raise Overtaken(f"{before.capability} was moved at this very moment; look again")
        await self._record(before, to_standing(row), entry)
        return to_standing(row)

    async def seed_bug(self, bug: str | None) -> None:
        await self._connection.execute(sa.update(standing).where(_named).values(bug=bug), {"of": Capability.CATALOG})

    async def _record(self, before: Standing, after: Standing, entry: Entry) -> None:
        written = {
            "who": entry.who,
            "capability": after.capability.value,
            "generation": after.generation,
            "from_stage": before.stage.value,
            "to_stage": after.stage.value,
            "percent": after.percent,
            "reason": entry.reason,
            "forced": entry.forced,
            "evidence": dict(entry.evidence),
        }
        await self._connection.execute(sa.insert(audit), written)


class SqlStorage:
    """Where each capability stands, and how it came there."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[SqlUnitOfWork]:
        """A transaction, committed when the block is left without an error."""
        async with self._database.transaction() as connection:
            yield SqlUnitOfWork(connection)

    async def standings(self) -> tuple[Mapping[Capability, Standing], str | None]:
        async with self._database.autocommit() as connection:
            rows = {Capability(row.capability): row for row in await connection.execute(_all)}
        return {each: to_standing(rows[each]) for each in Capability}, rows[Capability.CATALOG].bug

    async def totals(self, capability: Capability) -> tuple[Totals, Totals]:
        async with self._database.autocommit() as connection:
            rows = (await connection.execute(_totals, {"of": capability.value})).all()
        lifetime, recent = [], []
        for row in rows:
            part = Totals(**{name: row._mapping[name] for name in _FIGURES})
            lifetime.append(part)
            if row.counts:
                recent.append(part)
        return summed(lifetime), summed(recent)

    async def trail(self, limit: int) -> list[Recorded]:
        async with self._database.autocommit() as connection:
            return [_to_recorded(row) for row in await connection.execute(_trail.limit(limit))]

    async def samples(self, capability: Capability, limit: int) -> list[Mapping[str, Any]]:
        async with self._database.autocommit() as connection:
            rows = await connection.execute(_samples.limit(limit), {"of": capability.value})
            return [dict(row._mapping) for row in rows]


def _to_recorded(row: Any) -> Recorded:
    return Recorded(
        row.at,
        Capability(row.capability),
        row.generation,
        Stage(row.from_stage),
        Stage(row.to_stage),
        row.percent,
        Entry(row.who, row.reason, row.forced, row.evidence),
    )
