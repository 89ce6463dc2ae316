"""Writes of which nobody knows whether they have ended."""

import asyncio

import pytest

from chassis.http_client import OutcomeUnknown
from facade.application import Wish
from facade.cutover import CutoverUndone
from facade.domain import Capability, Side, Stage
from facade.parking import ParkedWrites
from facade.ports import CannotAnswer
from services.facade.tests.replicas import FakeBridge, Replica, until

ORDERS = Capability.ORDERS


async def fail(parking: ParkedWrites, error: BaseException, wanted: Side = Side.LEGACY) -> None:
    """A write that ends like this."""

    async def write() -> None:
        async with parking.write(ORDERS) as turn:
            assert turn is wanted
            raise error

    with pytest.raises(type(error)):
        await write()


@pytest.mark.parametrize("error", [OutcomeUnknown("no answer"), asyncio.CancelledError()])
async def test_no_cut_over_while_the_old_shop_may_still_be_at_a_write(
    shadowed: Replica, bridge: FakeBridge, error: BaseException
) -> None:
    """Its order would be committed after the drain, and the new side would begin without it."""
    await fail(ParkedWrites(shadowed.watch, shadowed.tally, lingers=2.5), error)
    with pytest.raises(CutoverUndone, match="writes under way"):
        await shadowed.migration.move(ORDERS, Wish(Stage.CUTOVER), "op")
    assert bridge.asked == []
    await until(lambda: shadowed.watch.in_flight[ORDERS] == 0)
    assert (await shadowed.migration.move(ORDERS, Wish(Stage.CUTOVER), "op")).stage is Stage.MODERN


async def test_what_was_certainly_not_sent_is_not_waited_for(shadowed: Replica) -> None:
    await fail(shadowed.parking, CannotAnswer("refused"))
    assert shadowed.watch.in_flight[ORDERS] == 0


async def test_the_new_side_is_not_waited_for(shadowed: Replica) -> None:
    """Whatever it still takes, the bridge carries over."""
    await shadowed.migration.move(ORDERS, Wish(Stage.CUTOVER), "op")
    await until(lambda: shadowed.watch.of(ORDERS).stage is Stage.MODERN)
    await fail(shadowed.parking, OutcomeUnknown("no answer"), Side.MODERN)
    assert shadowed.watch.in_flight[ORDERS] == 0
