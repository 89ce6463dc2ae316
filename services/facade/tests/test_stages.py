"""Replicas over one database: what one operator decides, all of them go by a moment later."""

from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID, uuid4

from chassis.storage import DatabaseUnavailable
from facade.application import Wish
from facade.domain import Abandoned, Capability, Stage, Standing
from facade.stages import VIEW_SECONDS, Report, Seen, StandingsWatch
from services.facade.tests.replicas import MakeReplica, Replica, until

NOW = datetime(2026, 11, 24, tzinfo=UTC)


class FakeBoard:
    """A board that can be lost, and a clock that can be turned."""

    def __init__(self) -> None:
        self.standings = [Standing(each, Stage.SHADOW, 0, False, 3, NOW) for each in Capability]
        self.reports: list[Sequence[Report]] = []
        self.lost = False
        self.now = 0.0

    async def look(self, replica: UUID, reports: Sequence[Report]) -> Seen:
        if self.lost:
            raise DatabaseUnavailable("the database does not answer")
        self.reports.append(reports)
        return Seen(self.standings, None)

    async def leave(self, replica: UUID) -> None: ...

    def watch(self) -> StandingsWatch:
        async def nobody(_: Abandoned) -> None: ...

        return StandingsWatch(self, uuid4(), nobody, clock=lambda: self.now)


async def test_three_replicas_agree_within_a_second(make_replica: MakeReplica) -> None:
    replicas = [await make_replica() for _ in range(3)]
    standing = await replicas[0].migration.move(Capability.CATALOG, Wish(Stage.SHADOW), "operator")
    took = await until(lambda: all(each.watch.of(Capability.CATALOG) == standing for each in replicas))
    assert took < 1


async def test_the_seeded_mistake_is_seen_by_all_replicas(make_replica: MakeReplica) -> None:
    replicas = [await make_replica() for _ in range(3)]
    await replicas[0].migration.seed_bug("price-rounding", "operator")
    assert await until(lambda: all(each.watch.bug == "price-rounding" for each in replicas)) < 1
    await replicas[1].migration.seed_bug(None, "operator")
    assert await until(lambda: all(each.watch.bug is None for each in replicas)) < 1


async def test_a_replica_does_not_write_before_it_is_known_to_the_others() -> None:
    board = FakeBoard()
    watch = board.watch()
    assert await watch.unknown() is not None
    await watch.look()
    assert await watch.unknown() is None
    assert not watch.current, "a cut-over that begins now does not wait for it"
    await watch.look()
    assert watch.current


async def test_a_replica_that_cannot_look_goes_by_its_view_for_a_moment_only() -> None:
    """The others count on it: after two seconds of silence they change sides without it."""
    board = FakeBoard()
    watch = board.watch()
    await watch.look()
    await watch.look()
    board.now += VIEW_SECONDS
    assert not watch.current
    await watch.look()
    assert not watch.current, "it was silent for so long that it has to be announced anew"
    await watch.look()
    assert watch.current


async def test_a_database_that_is_lost_and_found_again_is_looked_at_again() -> None:
    board = FakeBoard()
    watch = board.watch()
    await watch.start()
    await until(lambda: watch.known)
    board.lost = True
    seen = len(board.reports)
    board.lost = False
    await until(lambda: len(board.reports) > seen)
    assert watch.alive
    await watch.stop()


async def test_a_new_standing_is_reported_back_at_once() -> None:
    board = FakeBoard()
    watch = board.watch()
    watch.in_flight[Capability.ORDERS] = 2
    assert await watch.look() == 0
    assert await watch.look() > 0
    assert Report(Capability.ORDERS, 3, 2) in board.reports[-1]


async def test_a_replica_that_stops_is_waited_for_by_nobody(make_replica: MakeReplica, replica: Replica) -> None:
    other = await make_replica()
    standing = replica.watch.of(Capability.ORDERS)
    unseen = Standing(Capability.ORDERS, Stage.LEGACY, 0, True, standing.generation + 1, NOW)
    assert await replica.presence.behind(unseen) == 2
    await other.watch.stop()
    assert await replica.presence.behind(unseen) == 1
