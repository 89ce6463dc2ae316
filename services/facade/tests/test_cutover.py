"""Changing sides under way: writes are held, those under way end first, nothing is lost when it goes wrong."""

import asyncio
from collections import Counter
from contextlib import suppress

import pytest
import sqlalchemy as sa

from facade import cutover as cutting
from facade.application import Wish
from facade.cutover import CutoverUndone
from facade.domain import Capability, Entry, Side, Stage, Standing, plan
from facade.ports import CannotAnswer
from facade.storage import SqlStorage
from services.facade.tests.replicas import FakeBridge, MakeReplica, Replica, seen, until

ORDERS = Capability.ORDERS
OVER = Wish(Stage.CUTOVER)
BACK = Wish(Stage.SHADOW)


async def write(replica: Replica, seconds: float = 0.0) -> Side:
    """A customer's order: returns the side that it went to."""
    async with replica.parking.write(ORDERS) as side:
        await asyncio.sleep(seconds)
        return side


async def cut_over(replica: Replica, wish: Wish = OVER) -> Standing:
    return await replica.migration.move(ORDERS, wish, "operator")


async def reported(replica: Replica) -> None:
    """Wait until the others can know what this replica has under way now: a whole look has begun and ended."""
    for _ in range(2):
        await replica.watch.changed()


async def reasons(replica: Replica) -> list[str]:
    return [each.entry.reason for each in await replica.migration.trail(10)]


async def test_writes_go_to_the_new_side_after_a_cut_over(shadowed: Replica, bridge: FakeBridge) -> None:
    assert await write(shadowed) is Side.LEGACY
    standing = await cut_over(shadowed)
    assert (standing.stage, standing.parked) == (Stage.MODERN, False)
    assert await write(shadowed) is Side.MODERN
    assert bridge.asked == [("to-shop", [])]


async def test_a_write_that_comes_meanwhile_is_held_and_goes_to_the_other_side(
    shadowed: Replica, bridge: FakeBridge, make_replica: MakeReplica
) -> None:
    other = await make_replica()
    bridge.seconds = 0.3
    moving = asyncio.create_task(cut_over(shadowed))
    await until(lambda: bool(bridge.asked))
    assert shadowed.watch.of(ORDERS).parked
    assert other.watch.of(ORDERS).parked, "drained before all replicas held their writes"
    held = [asyncio.create_task(write(each)) for each in (shadowed, other)]
    assert await asyncio.gather(*held) == [Side.MODERN, Side.MODERN]
    await moving


async def test_writes_under_way_in_any_replica_end_before_the_drain(
    shadowed: Replica, bridge: FakeBridge, make_replica: MakeReplica
) -> None:
    """Drained too early, the new side would begin without an order that the old one was still taking."""
    other = await make_replica()
    await seen(other, shadowed.watch.of(ORDERS))
    answered = asyncio.Event()

    async def slowly() -> Side:
        async with other.parking.write(ORDERS) as side:
            await answered.wait()
            return side

    slow = asyncio.create_task(slowly())
    await until(lambda: other.watch.in_flight[ORDERS] == 1)
    moving = asyncio.create_task(cut_over(shadowed))
    await until(lambda: other.watch.of(ORDERS).parked)
    await reported(other)
    assert bridge.asked == []
    answered.set()
    assert await slow is Side.LEGACY
    await moving
    assert bridge.asked == [("to-shop", [])]


async def test_a_hold_is_shorter_than_a_second_when_the_bridge_is_prompt(
    shadowed: Replica, make_replica: MakeReplica
) -> None:
    replicas = [shadowed, await make_replica(), await make_replica()]
    stop, answers = asyncio.Event(), Counter[Side]()

    async def customers(replica: Replica) -> list[Side]:
        went = []
        while not stop.is_set():
            went.append(await write(replica, 0.02))
            answers[went[-1]] += 1
        return went

    buying = [asyncio.create_task(customers(each)) for each in replicas for _ in range(3)]
    for wish in (OVER, BACK) * 3:
        answers.clear()
        await until(lambda: answers.total() > 5 * len(buying))
        await cut_over(shadowed, Wish(wish.to, reason="practice", force=True))
    stop.set()
    for went in await asyncio.gather(*buying):
        assert {Side.LEGACY, Side.MODERN} == set(went)
    for replica in replicas:
        await replica.tally.flush()
    (orders,) = [each for each in (await shadowed.migration.overview()).items if each.standing.capability is ORDERS]
    assert sum(orders.lifetime.held_times) > 0
    assert orders.lifetime.longest_hold < 1


async def test_no_write_goes_to_one_side_while_another_is_under_way_at_the_other(
    shadowed: Replica, make_replica: MakeReplica
) -> None:
    replicas = [shadowed, await make_replica()]
    under_way = {Side.LEGACY: 0, Side.MODERN: 0}
    stop = asyncio.Event()

    async def customers(replica: Replica) -> None:
        while not stop.is_set():
            async with replica.parking.write(ORDERS) as side:
                under_way[side] += 1
                assert min(under_way.values()) == 0, "two writers"
                await asyncio.sleep(0.01)
                under_way[side] -= 1

    buying = [asyncio.create_task(customers(each)) for each in replicas for _ in range(4)]
    for wish in (OVER, BACK) * 5:
        await cut_over(replicas[wish is BACK], Wish(wish.to, reason="practice", force=True))
        await asyncio.sleep(0.05)
    stop.set()
    await asyncio.gather(*buying)


async def test_a_drain_that_fails_leaves_everything_as_it_was(shadowed: Replica, bridge: FakeBridge) -> None:
    bridge.broken = True
    with pytest.raises(CutoverUndone, match="stays at shadow"):
        await cut_over(shadowed)
    await until(lambda: not shadowed.watch.of(ORDERS).parked)
    assert shadowed.watch.of(ORDERS).stage is Stage.SHADOW
    assert await write(shadowed) is Side.LEGACY
    assert (await reasons(shadowed))[0] == "cut-over undone: the bridge is not drained"


async def test_a_write_that_is_held_by_a_failing_cut_over_goes_where_it_went_before(
    shadowed: Replica, bridge: FakeBridge
) -> None:
    bridge.seconds = 60
    moving = asyncio.create_task(cut_over(shadowed))
    await until(lambda: bool(bridge.asked))
    assert await write(shadowed) is Side.LEGACY
    with pytest.raises(CutoverUndone):
        await moving


async def test_what_was_compared_before_a_failed_cut_over_still_counts(shadowed: Replica, bridge: FakeBridge) -> None:
    bridge.broken = True
    with pytest.raises(CutoverUndone):
        await cut_over(shadowed)
    bridge.broken = False
    assert (await cut_over(shadowed)).stage is Stage.MODERN


async def test_a_write_that_does_not_end_undoes_the_cut_over(shadowed: Replica, bridge: FakeBridge) -> None:
    slow = asyncio.create_task(write(shadowed, 2.5))
    await until(lambda: shadowed.watch.in_flight[ORDERS] == 1)
    with pytest.raises(CutoverUndone, match="writes under way"):
        await cut_over(shadowed)
    assert bridge.asked == []
    assert await slow is Side.LEGACY


async def test_going_back_waits_until_the_old_shop_has_the_orders_of_the_new_side(
    shadowed: Replica, bridge: FakeBridge
) -> None:
    await cut_over(shadowed)
    await until(lambda: shadowed.watch.of(ORDERS).stage is Stage.MODERN)
    for number in (1_000_001, 1_000_002):
        await shadowed.presence.note(number)
    standing = await cut_over(shadowed, BACK)
    assert (standing.stage, standing.parked) == (Stage.SHADOW, False)
    assert await write(shadowed) is Side.LEGACY
    way, numbers = bridge.asked[-1]
    assert (way, set(numbers)) == ("to-legacy", {1_000_001, 1_000_002})


async def test_going_back_asks_for_all_orders_that_are_kept(shadowed: Replica, bridge: FakeBridge) -> None:
    """One that is stuck for long is no less missing in the old shop."""
    await cut_over(shadowed)
    await until(lambda: shadowed.watch.of(ORDERS).stage is Stage.MODERN)
    await shadowed.presence.note(1_000_001)
    async with shadowed.database.autocommit() as connection:
        await connection.execute(sa.text("UPDATE placed SET at = at - interval '59 minutes'"))
    await cut_over(shadowed, BACK)
    assert bridge.asked[-1] == ("to-legacy", [1_000_001])


async def test_going_back_that_fails_stays_at_the_new_side(shadowed: Replica, bridge: FakeBridge) -> None:
    await cut_over(shadowed)
    bridge.broken = True
    with pytest.raises(CutoverUndone, match="stays at modern"):
        await cut_over(shadowed, BACK)
    await until(lambda: shadowed.watch.of(ORDERS).stage is Stage.MODERN and not shadowed.watch.of(ORDERS).parked)
    assert await write(shadowed) is Side.MODERN


async def park(replica: Replica) -> Standing:
    """What a replica has done of a cut-over when it is killed."""
    storage, standing = SqlStorage(replica.database), replica.watch.of(ORDERS)
    move = plan(standing, Stage.CUTOVER)
    assert move is not None
    async with storage.begin() as work:
        return await cutting.park(work, move, Entry("operator", ""))


async def test_a_cut_over_whose_leader_died_is_undone_by_another_replica(
    shadowed: Replica, make_replica: MakeReplica
) -> None:
    """Held writes outlive it: they wait longer than this takes."""
    other = await make_replica()
    await seen(other, await park(shadowed))
    await shadowed.watch.stop()
    assert await write(other) is Side.LEGACY
    standing = other.watch.of(ORDERS)
    assert (standing.stage, standing.parked) == (Stage.SHADOW, False)
    assert (await reasons(other))[0] == "cut-over undone: the replica that led the cut-over is gone"


async def test_of_all_replicas_one_undoes_it(shadowed: Replica, make_replica: MakeReplica) -> None:
    others = [await make_replica() for _ in range(2)]
    await park(shadowed)
    await until(lambda: all(each.watch.of(ORDERS).parked for each in others))
    await until(lambda: not any(each.watch.of(ORDERS).parked for each in [shadowed, *others]))
    undone = [reason for reason in await reasons(shadowed) if reason.startswith("cut-over undone")]
    assert len(undone) == 1


async def test_a_leader_who_comes_back_too_late_does_not_flip(shadowed: Replica, bridge: FakeBridge) -> None:
    """Its writes were let go meanwhile, to the old side."""
    late = cutting.Cutover(SqlStorage(shadowed.database), shadowed.presence, bridge, limit=10)
    standing = shadowed.watch.of(ORDERS)
    move = plan(standing, Stage.CUTOVER)
    assert move is not None
    bridge.seconds = 4
    parked = await park(shadowed)
    with pytest.raises(CutoverUndone, match="another replica"):
        await late.finish(parked, move, Entry("operator", ""))
    assert await write(shadowed) is Side.LEGACY


async def test_a_killed_replica_with_a_write_under_way_is_waited_for(
    shadowed: Replica, make_replica: MakeReplica
) -> None:
    """The old shop may still be at it, and nobody could tell when it has ended."""
    dead = await make_replica()
    slow = asyncio.create_task(write(dead, 30))
    await until(lambda: dead.watch.in_flight[ORDERS] == 1)
    await reported(dead)
    await dead.watch.stop()
    with pytest.raises(CutoverUndone, match="writes under way"):
        await cut_over(shadowed)
    await _age(shadowed, "21 seconds")
    assert (await cut_over(shadowed)).stage is Stage.MODERN
    slow.cancel()
    with suppress(asyncio.CancelledError):
        await slow


async def _age(replica: Replica, interval: str) -> None:
    async with replica.database.autocommit() as connection:
        await connection.execute(
            sa.text(f"UPDATE presence SET seen_at = seen_at - interval '{interval}' WHERE in_flight > 0")  # noqa: S608
        )


async def test_writes_that_are_held_for_too_long_are_not_sent_at_all(
    shadowed: Replica, monkeypatch: pytest.MonkeyPatch
) -> None:
    impatient = type(shadowed.parking)(shadowed.watch, shadowed.tally, patience=0.05)
    await seen(shadowed, await park(shadowed))
    with pytest.raises(CannotAnswer, match="held for too long"):
        async with impatient.write(ORDERS):
            pytest.fail("a write went on in the parking")


async def test_reads_of_writes_are_never_held(shadowed: Replica) -> None:
    await seen(shadowed, await park(shadowed))
    async with shadowed.parking.write(Capability.CATALOG) as side:
        assert side is Side.LEGACY
