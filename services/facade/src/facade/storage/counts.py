"""What the replicas have counted, and samples of what did not agree."""

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.storage import Database
from facade.domain import Capability
from facade.storage.tables import mismatch, tally
from facade.tally import SAMPLES, Sample

_KEY = ("capability", "generation", "replica")
_insert = insert(tally)
_store = _insert.on_conflict_do_update(
    index_elements=_KEY, set_={column.name: column for column in _insert.excluded if column.name not in _KEY}
)
_kept = sa.select(sa.func.count()).where(
    mismatch.c.capability == sa.bindparam("of", type_=sa.Text),
    mismatch.c.generation == sa.bindparam("at_generation", type_=sa.BigInteger),
)
_LOCK = 7_263_009


class SqlCounts:
    """Totals by capability, generation and replica."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def save(
        self,
        replica: UUID,
        totals: Mapping[tuple[Capability, int], Mapping[str, object]],
        samples: Sequence[Sample],
    ) -> None:
        rows = [
            {"capability": capability.value, "generation": generation, "replica": replica, **columns}
            for (capability, generation), columns in totals.items()
        ]
        async with self._database.transaction() as connection:
            await connection.execute(_store, rows)
            if samples:
                await self._keep(connection, samples)

    async def _keep(self, connection: AsyncConnection, samples: Sequence[Sample]) -> None:
        # One replica at a time: each would see room for its own.
        await connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))
        for (capability, generation), group in groupby(samples, lambda each: (each.capability, each.generation)):
            key = {"of": capability.value, "at_generation": generation}
            room = SAMPLES - int(await connection.scalar(_kept, key) or 0)
            if rows := [_row(sample) for sample in group][: max(room, 0)]:
                await connection.execute(sa.insert(mismatch), rows)


def _row(sample: Sample) -> dict[str, Any]:
    found = sample.mismatch
    return {
        "capability": sample.capability.value,
        "generation": sample.generation,
        "method": found.method,
        "path": found.path,
        "differences": [dict(difference) for difference in found.differences],
    }
