"""From rows to what the domain speaks of."""

from typing import Any

from facade.domain import Capability, Stage, Standing


def to_standing(row: Any) -> Standing:
    """A row of the table `standing`."""
    parked = row.parked_at is not None
    return Standing(Capability(row.capability), Stage(row.stage), row.percent, parked, row.generation, row.since)
