"""Ten thousand comparisons of two shops that say the same, while both are written to: no alarm, and no blind eye."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from facade.comparison.question import Read
from facade.comparison.settle import Outcome, Verdict, settle
from facade.domain import Side
from facade.legacy_http import LegacyRequest, LegacyResponse
from services.facade.tests.answers import HTML, JSON, answer, compare, page, product

PAGES = LegacyRequest("GET", "/legacy/"), LegacyRequest("GET", "/legacy/api/products")
LAG = 0.4


@dataclass
class World:
    """One shelf of books that is written to, in a time of its own."""

    chance: random.Random
    now: float = 0.0
    books: dict[int, list[tuple[float, dict[str, Any]]]] = field(
        default_factory=lambda: {number: [(-1.0, product(number))] for number in range(1, 21)}
    )

    def write(self) -> None:
        """Somebody buys the last copy, a delivery arrives, a price is changed."""
        history = self.books[self.chance.randint(1, 20)]
        latest = history[-1][1]
        sold = {"avail": "N" if latest["avail"] == "Y" else "Y"}
        priced = {"price": f"{self.chance.randint(1, 90)}.{self.chance.randint(0, 99):02d}"}
        history.append((self.now, {**latest, **self.chance.choice((sold, sold, priced))}))

    def shelf(self, first: int, moment: float) -> list[dict[str, Any]]:
        """Ten books as they were at a moment."""
        return [self._as_of(number, moment) for number in range(first, first + 10)]

    def _as_of(self, number: int, moment: float) -> dict[str, Any]:
        return next(state for when, state in reversed(self.books[number]) if when <= moment)

    async def sleep(self, seconds: float) -> None:
        """Time passes, and the others go on writing."""
        self.now += seconds
        for _ in range(self.chance.randint(0, 3)):
            self.write()


class Shop:
    """One side of the world; the other learns with a lag of what happens. Each answer has noise of its own."""

    def __init__(self, world: World, lag: float = 0.0, bug: Sequence[str] = ()) -> None:
        self._world = world
        self._lag = lag
        self._bug = bug

    async def answer(self, request: LegacyRequest) -> LegacyResponse:
        world = self._world
        world.now += 0.002
        first = 11 if "q=" in request.query else 1
        shelf = world.shelf(first, world.now - world.chance.uniform(0, self._lag))
        if self._bug:
            shelf = [{**book, "price": f"{round(float(book['price']))}.00"} for book in shelf]
        noise = str(world.chance.random())
        cookie = ("Set-Cookie", f"shopsession={noise}; HttpOnly; Path=/legacy")
        dated = ("Date", noise)
        if request.path == "/legacy/":
            # A page that says how many look at it: the old shop contradicts itself.
            online = f"<p>{world.chance.randint(1, 9)} customers online</p>" if "online" in request.query else ""
            return page(shelf, csrf=noise, after=first + 9, headers=(*HTML, cookie, dated), who=online)
        body = {"ok": 1, "products": shelf, "next": first + 9}
        turned = dict(reversed(body.items())) if self._lag else body
        return answer(turned, headers=(*JSON, cookie, dated))


async def compared(world: World, legacy: Shop, modern: Shop, request: LegacyRequest) -> Verdict:
    side = world.chance.choice((Side.LEGACY, Side.LEGACY, Side.MODERN))
    shown = await (legacy if side is Side.LEGACY else modern).answer(request)
    if world.chance.random() < 0.08:
        world.write()  # while the request was in the queue
    question = Read(legacy, modern, request, side, shown, compare)
    first = await question.differences()
    return await settle(question, first, sleep=world.sleep) if first else Verdict(Outcome.MATCHED)


def requests(world: World) -> LegacyRequest:
    chosen = world.chance.choice(PAGES)
    return LegacyRequest("GET", chosen.path, world.chance.choices(("", "q=e&start=10", "online"), (10, 10, 1))[0])


async def test_ten_thousand_equal_pairs_raise_no_alarm() -> None:
    world = World(random.Random(4))
    legacy, modern = Shop(world), Shop(world, LAG)
    outcomes = dict.fromkeys(Outcome, 0)
    for number in range(10_000):
        if number % 20 == 0:
            world.write()
        verdict = await compared(world, legacy, modern, requests(world))
        outcomes[verdict.outcome] += 1
        assert verdict.outcome is not Outcome.MISMATCHED, verdict
        world.now += 0.02
        if number % 500 == 0:
            for history in world.books.values():
                del history[:-20]
    assert outcomes[Outcome.SETTLED] > 50, "the lag was to be seen, or the test shows nothing"


async def test_the_same_noise_hides_no_bug() -> None:
    world = World(random.Random(4))
    legacy, modern = Shop(world), Shop(world, LAG, bug=("price-rounding",))
    for _ in range(200):
        verdict = await compared(world, legacy, modern, requests(world))
        assert verdict.outcome is Outcome.MISMATCHED
        assert {each.kind for each in verdict.differences} <= {"rounding"}
