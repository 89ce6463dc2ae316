"""The rules of the stages: which moves there are, and who is in a canary."""

from collections.abc import Sequence
from datetime import UTC, datetime

import pytest

from facade.domain import Capability, Move, NoSuchMove, Overtaken, Side, Stage, Standing, Way, plan, side

NOW = datetime(2026, 11, 24, tzinfo=UTC)


def at(
    stage: Stage, percent: int = 0, capability: Capability = Capability.CATALOG, *, parked: bool = False
) -> Standing:
    return Standing(capability, stage, percent, parked, 3, NOW)


def orders(stage: Stage, *, parked: bool = False) -> Standing:
    return at(stage, capability=Capability.ORDERS, parked=parked)


def planned(standing: Standing, to: Stage, percent: int = 0, *, force: bool = False) -> Move:
    move = plan(standing, to, percent, force=force)
    assert move is not None
    return move


@pytest.mark.parametrize(
    ("standing", "to", "percent"),
    [
        (at(Stage.LEGACY), Stage.SHADOW, 0),
        (at(Stage.SHADOW), Stage.CANARY, 10),
        (at(Stage.CANARY, 10), Stage.CANARY, 50),
        (at(Stage.CANARY, 50), Stage.MODERN, 0),
        (at(Stage.MODERN), Stage.RETIRED, 0),
        (orders(Stage.SHADOW), Stage.CUTOVER, 0),
        (orders(Stage.SHADOW), Stage.MODERN, 0),
        (orders(Stage.MODERN), Stage.RETIRED, 0),
    ],
)
def test_forward_goes_one_step(standing: Standing, to: Stage, percent: int) -> None:
    move = planned(standing, to, percent)
    assert move.way is Way.FORWARD
    assert move.guarded == (standing.stage is not Stage.LEGACY)


@pytest.mark.parametrize(
    ("standing", "to"),
    [
        (at(Stage.LEGACY), Stage.CANARY),
        (at(Stage.SHADOW), Stage.MODERN),
        (at(Stage.CANARY, 100), Stage.RETIRED),
        (orders(Stage.LEGACY), Stage.CUTOVER),
        (orders(Stage.SHADOW), Stage.CANARY),
        (at(Stage.SHADOW), Stage.CUTOVER),
    ],
)
def test_no_step_can_be_left_out_not_even_by_force(standing: Standing, to: Stage) -> None:
    with pytest.raises(NoSuchMove):
        plan(standing, to, 10, force=True)


@pytest.mark.parametrize(
    ("standing", "to", "percent"),
    [
        (at(Stage.MODERN), Stage.LEGACY, 0),
        (at(Stage.MODERN), Stage.CANARY, 50),
        (at(Stage.CANARY, 50), Stage.CANARY, 10),
        (orders(Stage.MODERN), Stage.SHADOW, 0),
    ],
)
def test_back_goes_any_number_of_steps_and_needs_no_evidence(standing: Standing, to: Stage, percent: int) -> None:
    move = planned(standing, to, percent)
    assert (move.way, move.guarded) == (Way.BACK, False)


def test_out_of_retired_leads_only_force() -> None:
    with pytest.raises(NoSuchMove, match="forced"):
        plan(orders(Stage.RETIRED), Stage.MODERN)
    assert planned(orders(Stage.RETIRED), Stage.LEGACY, force=True).way is Way.BACK


@pytest.mark.parametrize("to", [Stage.CUTOVER, Stage.MODERN])
def test_a_repeated_wish_is_no_move(to: Stage) -> None:
    """The answer to the first one may have been lost."""
    assert plan(orders(Stage.MODERN), to) is None


def test_nobody_moves_what_is_changing_sides() -> None:
    with pytest.raises(Overtaken):
        plan(orders(Stage.CUTOVER, parked=True), Stage.SHADOW)


def test_writes_are_held_only_where_another_side_writes_afterwards() -> None:
    parks: Sequence[tuple[Standing, Stage]] = [
        (orders(Stage.SHADOW), Stage.CUTOVER),
        (orders(Stage.MODERN), Stage.SHADOW),
        (orders(Stage.MODERN), Stage.LEGACY),
    ]
    assert all(planned(standing, to).parks for standing, to in parks)
    assert not planned(orders(Stage.LEGACY), Stage.SHADOW).parks
    assert not planned(orders(Stage.MODERN), Stage.RETIRED).parks
    assert not planned(at(Stage.CANARY, 100), Stage.MODERN).parks


def test_while_writes_are_held_the_side_is_still_the_one_before() -> None:
    assert side(orders(Stage.CUTOVER, parked=True), "") is Side.LEGACY
    assert side(orders(Stage.MODERN, parked=True), "") is Side.MODERN


def test_who_is_in_a_canary_stays_in_it_while_the_percentage_rises() -> None:
    customers = [f"customer-{number}" for number in range(10_000)]
    before: set[str] = set()
    for percent in (0, 5, 25, 50, 100):
        standing = at(Stage.CANARY, percent)
        inside = {customer for customer in customers if side(standing, customer) is Side.MODERN}
        assert before <= inside
        assert abs(len(inside) - 100 * percent) < 200
        before = inside
