"""A run from the first registration to the last final order."""

import asyncio
import functools
import secrets
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from rich.console import Console

from tests.traffic.api import Api, Unexpected
from tests.traffic.plan import Visit, arrivals, customers_for, make_plan
from tests.traffic.progress import Advance, counting
from tests.traffic.shopper import FINAL, PlacedOrder, Shopper, browse
from tests.traffic.tally import Tally

# Each registration and each login cost the shop an argon2id hash: more at once would only queue.
PREPARING_AT_ONCE = 4
LISTING_AT_ONCE = 8
SETTLE_SECONDS = 60.0
Work = Callable[[], Awaitable[None]]


@dataclass(frozen=True)
class Options:
    """`rate`: visits begun a second whatever the answers do; without it `concurrency` visits are always under way."""

    url: str
    orders: int
    concurrency: int
    seed: int
    rate: float | None = None
    only_good: bool = False


@dataclass
class Outcome:
    """What a run came to. `settled`: seconds from the last answer until all orders were seen final, None if never."""

    options: Options
    tally: Tally
    customers: int
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    settled: float | None = None
    last_final: float = 0.0
    accepted: int = 0
    in_doubt: int = 0
    orders: list[PlacedOrder] = field(default_factory=list)

    @property
    def failed(self) -> bool:
        return bool(self.tally.wrong_counts)


class EmptyCatalogue(Exception):
    """There is nothing to order."""


async def run(options: Options, console: Console) -> Outcome:
    """Prepare, drive, settle. Raises `EmptyCatalogue`; what goes wrong afterwards is in the outcome's tally."""
    async with Api(options.url, Tally()) as api:
        plan, shoppers = await _prepare(api, options, console)
        api.tally.latencies.clear()
        outcome = Outcome(options, api.tally, len(shoppers))
        await _drive(outcome, plan, shoppers, console)
        await _settle(outcome, shoppers, console)
    compare(outcome, shoppers)
    return outcome


async def _prepare(api: Api, options: Options, console: Console) -> tuple[list[Visit], list[Shopper]]:
    catalogue = await browse(api)
    if not catalogue:
        raise EmptyCatalogue
    plan = make_plan(options.seed, options.orders, catalogue, only_good=options.only_good)
    # Customers are new in each run, so that their lists of orders are this run's and nothing else's.
    name = secrets.token_hex(4)
    shoppers = [
        Shopper(api, f"traffic-{name}-{number}@example.com", secrets.token_urlsafe(12), f"{name}-{number}")
        for number in range(customers_for(options.orders))
    ]
    with counting(console, "customers", len(shoppers)) as advance:
        await in_turn(PREPARING_AT_ONCE, [shopper.register for shopper in shoppers], advance)
    return plan, shoppers


async def _drive(outcome: Outcome, plan: Sequence[Visit], shoppers: Sequence[Shopper], console: Console) -> None:
    options = outcome.options
    visits = [functools.partial(shoppers[v.customer].visit, v, follow=options.rate is not None) for v in plan]
    started, cpu = time.perf_counter(), time.process_time()
    with counting(console, "orders", len(plan)) as advance:
        if options.rate is None:
            await in_turn(options.concurrency, visits, advance)
        else:
            await at_times(arrivals(options.seed, options.orders, options.rate), visits, advance)
    outcome.seconds = time.perf_counter() - started
    outcome.cpu_seconds = time.process_time() - cpu


async def _settle(outcome: Outcome, shoppers: Sequence[Shopper], console: Console) -> None:
    """Read every customer's list until nothing in it is open any more."""
    answered, wall = time.monotonic(), time.time()
    lists: dict[str, list[PlacedOrder]] = {}

    async def look(shopper: Shopper) -> None:
        lists[shopper.email] = await shopper.orders()

    open_lists = list(shoppers)
    while open_lists and time.monotonic() < answered + SETTLE_SECONDS:
        await in_turn(LISTING_AT_ONCE, [functools.partial(look, shopper) for shopper in open_lists])
        open_lists = [s for s in open_lists if any(o.state not in FINAL for o in lists.get(s.email, ()))]
        if open_lists:
            await asyncio.sleep(0.2)
    outcome.orders = [order for orders in lists.values() for order in orders]
    outcome.last_final = max([0.0, *(order.updated_at - wall for order in outcome.orders)])
    outcome.settled = None if open_lists else time.monotonic() - answered
    console.print(_settled(outcome, len(open_lists)), markup=False)


def _settled(outcome: Outcome, open_lists: int) -> str:
    if outcome.settled is None:
        return f"settling   given up after {SETTLE_SECONDS:.0f} s: {open_lists} customers have open orders"
    return (
        f"settling   {len(outcome.orders)} orders seen final {outcome.settled:.1f} s after the last answer "
        f"(the last became so after {outcome.last_final:.1f} s)"
    )


def compare(outcome: Outcome, shoppers: Sequence[Shopper]) -> None:
    """What the lists show must be what was accepted: no order lost, none twice, none open."""
    listed = {order.id for order in outcome.orders}
    accepted = {order for shopper in shoppers for order in shopper.accepted}
    outcome.accepted = len(accepted)
    outcome.in_doubt = sum(shopper.in_doubt for shopper in shoppers)
    tally = outcome.tally
    for lost in sorted(accepted - listed):
        tally.unexpected("accepted order is not in its customer's list", lost)
    # An order whose answer never came may well exist.
    for surplus in sorted(listed - accepted)[outcome.in_doubt :]:
        tally.unexpected("order in a list that nobody was told of", surplus)
    for order in outcome.orders:
        if order.state not in FINAL:
            tally.unexpected("order not final", f"{order.id} is {order.state}")


async def in_turn(at_once: int, works: Sequence[Work], advance: Advance = lambda: None) -> None:
    """Do all works, so many at once, each begun when one before it has ended."""
    waiting = iter(works)

    async def worker() -> None:
        for work in waiting:
            await _done(work)
            advance()

    async with asyncio.TaskGroup() as workers:
        for _ in range(at_once):
            workers.create_task(worker())


async def at_times(times: Sequence[float], works: Sequence[Work], advance: Advance) -> None:
    """Begin each work at its time, however many are under way."""
    begun = time.monotonic()

    async def one(work: Work) -> None:
        await _done(work)
        advance()

    async with asyncio.TaskGroup() as visits:
        for at, work in zip(times, works, strict=True):
            await asyncio.sleep(max(0.0, begun + at - time.monotonic()))
            visits.create_task(one(work))


async def _done(work: Work) -> None:
    try:
        await work()
    except Unexpected:
        return  # counted where it was raised; the run goes on, so that one run tells all
