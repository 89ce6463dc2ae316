"""What operators do at the same time, what the facade does by itself, and what is written down of it."""

import asyncio
from typing import Any

import pytest
import structlog

from facade import application
from facade.application import Wish
from facade.domain import Capability, Overtaken, Stage, Standing
from facade.guard import PromotionRefused
from services.facade.tests.replicas import FakeBridge, MakeReplica, Replica, until

CATALOG = Capability.CATALOG


async def outcomes(*moves: Any) -> list[Any]:
    return await asyncio.gather(*moves, return_exceptions=True)


async def test_of_two_operators_at_once_one_wins(shadowed: Replica, make_replica: MakeReplica) -> None:
    """The other one has decided by a standing that is gone."""
    other = await make_replica()
    found = await outcomes(
        shadowed.migration.move(CATALOG, Wish(Stage.CANARY, 10), "one"),
        other.migration.move(CATALOG, Wish(Stage.LEGACY), "two"),
    )
    won = [each for each in found if isinstance(each, Standing)]
    lost = [each for each in found if isinstance(each, Overtaken)]
    assert (len(won), len(lost)) == (1, 1), found
    assert len(await shadowed.migration.trail(50)) == 3


async def test_of_two_cut_overs_at_once_one_is_led(shadowed: Replica, make_replica: MakeReplica) -> None:
    other = await make_replica()
    wish = Wish(Stage.CUTOVER)
    found = await outcomes(*(each.migration.move(Capability.ORDERS, wish, "op") for each in (shadowed, other)))
    assert all(isinstance(each, (Standing, Overtaken)) for each in found), found
    assert any(isinstance(each, Standing) and each.stage is Stage.MODERN for each in found)
    steps = [each.after for each in await shadowed.migration.trail(50) if each.capability is Capability.ORDERS]
    assert steps == [Stage.MODERN, Stage.CUTOVER, Stage.SHADOW]


async def test_a_move_that_is_refused_leaves_no_trace(replica: Replica) -> None:
    await replica.migration.move(CATALOG, Wish(Stage.SHADOW), "op")
    before = await replica.migration.trail(50)
    with pytest.raises(PromotionRefused):
        await replica.migration.move(CATALOG, Wish(Stage.CANARY, 10), "op")
    assert await replica.migration.trail(50) == before


async def test_evidence_of_all_replicas_counts_together(replica: Replica, make_replica: MakeReplica) -> None:
    other = await make_replica()
    standing = await replica.migration.move(CATALOG, Wish(Stage.SHADOW), "op")
    await until(lambda: all(each.watch.of(CATALOG) == standing for each in (replica, other)))
    await replica.compared(CATALOG, equal=100)
    await other.compared(CATALOG, equal=99, different=1)
    assert (await replica.migration.move(CATALOG, Wish(Stage.CANARY, 10), "op")).percent == 10


async def test_evidence_from_before_the_latest_shadow_does_not_count(shadowed: Replica) -> None:
    """What was compared then was another adapter."""
    await shadowed.migration.move(CATALOG, Wish(Stage.LEGACY), "op")
    await shadowed.migration.move(CATALOG, Wish(Stage.SHADOW), "op")
    with pytest.raises(PromotionRefused, match="0 answers compared"):
        await shadowed.migration.move(CATALOG, Wish(Stage.CANARY, 10), "op")


async def test_evidence_goes_along_while_the_canary_grows(shadowed: Replica) -> None:
    for wish in (Wish(Stage.CANARY, 10), Wish(Stage.CANARY, 50), Wish(Stage.MODERN), Wish(Stage.RETIRED)):
        assert (await shadowed.migration.move(CATALOG, wish, "op")).stage is wish.to


async def test_a_bridge_that_does_not_answer_refuses_a_promotion_and_no_way_back(
    shadowed: Replica, bridge: FakeBridge
) -> None:
    await shadowed.migration.move(CATALOG, Wish(Stage.CANARY, 10), "op")
    bridge.behind = None
    with pytest.raises(PromotionRefused, match="does not say"):
        await shadowed.migration.move(CATALOG, Wish(Stage.CANARY, 50), "op")
    assert (await shadowed.migration.move(CATALOG, Wish(Stage.SHADOW), "op")).stage is Stage.SHADOW


async def test_a_burnt_budget_takes_a_canary_back_in_the_facades_own_name(shadowed: Replica) -> None:
    await shadowed.migration.move(CATALOG, Wish(Stage.CANARY, 10), "op")
    await shadowed.migration.step_back(CATALOG, {"answers": 60, "errors": 9})
    newest = (await shadowed.migration.trail(1))[0]
    assert (newest.entry.who, newest.before, newest.after) == ("facade", Stage.CANARY, Stage.SHADOW)
    assert newest.entry.evidence == {"answers": 60, "errors": 9}


async def test_of_replicas_that_step_back_at_once_one_does(shadowed: Replica, make_replica: MakeReplica) -> None:
    replicas = [shadowed, await make_replica(), await make_replica()]
    await shadowed.migration.move(CATALOG, Wish(Stage.CANARY, 10), "op")
    assert await outcomes(*(each.migration.step_back(CATALOG, {}) for each in replicas)) == [None] * 3
    assert [each.entry.who for each in await shadowed.migration.trail(50)].count("facade") == 1


async def test_only_a_canary_steps_back(shadowed: Replica) -> None:
    await shadowed.migration.step_back(CATALOG, {})
    await shadowed.migration.step_back(Capability.ORDERS, {})
    assert all(each.entry.who != "facade" for each in await shadowed.migration.trail(50))


async def test_who_hangs_up_in_the_middle_of_a_cut_over_does_not_stop_it(shadowed: Replica, bridge: FakeBridge) -> None:
    bridge.seconds = 0.3
    moving = asyncio.create_task(shadowed.migration.move(Capability.ORDERS, Wish(Stage.CUTOVER), "op"))
    await until(lambda: bool(bridge.asked))
    moving.cancel()
    await until(lambda: shadowed.watch.of(Capability.ORDERS).stage is Stage.MODERN)


async def test_a_cut_over_that_fails_after_its_operator_has_hung_up_is_logged(
    shadowed: Replica, bridge: FakeBridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    bridge.seconds = 60
    monkeypatch.setattr(application, "log", structlog.get_logger())  # one that has not been used keeps no processors
    with structlog.testing.capture_logs() as logs:
        moving = asyncio.create_task(shadowed.migration.move(Capability.ORDERS, Wish(Stage.CUTOVER), "op"))
        await until(lambda: bool(bridge.asked))
        moving.cancel()
        await until(lambda: any(each["event"] == "migration.failed-unheard" for each in logs))
    (told,) = [each for each in logs if each["event"] == "migration.failed-unheard"]
    assert told["capability"] == "orders"
    assert "CutoverUndone" in told["reason"]


async def test_retired_capabilities_come_back_by_force(shadowed: Replica) -> None:
    for wish in (Wish(Stage.CUTOVER), Wish(Stage.RETIRED), Wish(Stage.LEGACY, reason="once more", force=True)):
        standing = await shadowed.migration.move(Capability.ORDERS, wish, "op")
    assert (standing.stage, standing.parked) == (Stage.LEGACY, False)
