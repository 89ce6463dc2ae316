"""The mirror: what the old shop has answered is asked of the new side too, and compared, after the customer has gone.

It must never be felt. A request is handed over without waiting; the queue is bounded, and what does not fit is dropped
and counted; workers, connections (those of the upstreams that it is given) and time limit are its own. It asks when no
customer is being served, as long as such moments come.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from typing import TypeVar

import structlog
from prometheus_client import Counter

from facade.comparison import Difference
from facade.comparison.pace import Pace
from facade.comparison.question import NothingToCompare, Question, Read, Write
from facade.comparison.settle import PAUSES, Outcome, Sleep, Verdict, settle
from facade.domain import Capability, Side
from facade.legacy_http import LegacyRequest, LegacyResponse
from facade.lull import Lull
from facade.ports import CannotAnswer, Mismatch, Quotes, Tally, Upstream

log = structlog.get_logger(__name__)
QUEUE, WORKERS, SETTLING = 256, 4, 64
ASK_SECONDS = 2.0
LULL_SECONDS = 0.25
COMPARED = Counter("facade_comparisons_total", "Comparisons of the mirror", ["capability", "outcome"])
DIFFERENCES = Counter("facade_differences_total", "Differences that stayed", ["capability", "kind"])
T = TypeVar("T")


@dataclass(frozen=True)
class Sides:
    """Both sides as the mirror asks them: with connections that no customer waits for."""

    legacy: Upstream
    modern: Mapping[Capability, Upstream]
    quotes: Quotes


@dataclass(frozen=True)
class _Exchange:
    capability: Capability
    request: LegacyRequest
    side: Side
    answer: LegacyResponse
    write: bool
    generation: int


class Shadow:
    """A part of the process. `offer` is for the proxy, the rest happens by itself.

    `generation`: of a capability, now. What was offered before its last change speaks neither for nor against it.
    """

    name = "shadow"

    def __init__(
        self,
        sides: Sides,
        tally: Tally,
        generation: Callable[[Capability], int],
        *,
        seconds: float = ASK_SECONDS,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._sides = sides
        self._tally = tally
        self._generation = generation
        self._seconds = seconds
        self._sleep = sleep
        self._pace = Pace()
        self._lull = Lull()
        self._queue: asyncio.Queue[_Exchange] = asyncio.Queue(QUEUE)
        self._workers: list[asyncio.Task[None]] = []
        self._settling: set[asyncio.Task[None]] = set()

    @property
    def alive(self) -> bool:
        return not any(worker.done() for worker in self._workers)

    @property
    def waiting(self) -> int:
        """How many requests are in the queue."""
        return self._queue.qsize()

    def customer(self) -> AbstractContextManager[None]:
        """While a customer is being served, which the mirror would rather not disturb."""
        return self._lull.customer()

    async def start(self) -> None:
        self._workers = [asyncio.create_task(self._work(), name=f"shadow-{number}") for number in range(WORKERS)]

    async def stop(self) -> None:
        """Drop what was not compared yet: nobody waits for it."""
        running = [*self._workers, *self._settling]
        self._workers = []
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    def offer(
        self,
        capability: Capability,
        request: LegacyRequest,
        side: Side,
        answer: LegacyResponse,
        *,
        write: bool = False,
    ) -> None:
        """Take this exchange in, or drop it: never waits, never fails. `side` made the answer, the other is asked."""
        try:
            generation = self._generation(capability)
            self._queue.put_nowait(_Exchange(capability, request, side, answer, write, generation))
        except asyncio.QueueFull:
            self._drop(capability)

    async def _work(self) -> None:
        while True:
            exchange = await self._queue.get()
            await self._lull.come(LULL_SECONDS)
            try:
                await self._compare(exchange)
            except Exception:
                log.exception("shadow.failed", capability=exchange.capability)
                self._drop(exchange.capability)

    async def _compare(self, exchange: _Exchange) -> None:
        question = self._question(exchange)
        try:
            first = await question.differences()
        except NothingToCompare:
            return
        except CannotAnswer:
            self._drop(exchange.capability)
            return
        if not first:
            self._judge(exchange, Verdict(Outcome.MATCHED))
        elif len(self._settling) >= SETTLING:
            # To call it a mismatch without a second look would be a false alarm whenever many come at once.
            self._drop(exchange.capability)
        else:
            task = asyncio.create_task(self._settle(exchange, question, first))
            self._settling.add(task)
            task.add_done_callback(self._settling.discard)

    async def _settle(self, exchange: _Exchange, question: Question, first: list[Difference]) -> None:
        try:
            verdict = await settle(question, first, PAUSES, self._sleep)
        except (CannotAnswer, NothingToCompare):
            self._drop(exchange.capability)
        except Exception:
            log.exception("shadow.failed", capability=exchange.capability)
            self._drop(exchange.capability)
        else:
            self._judge(exchange, verdict)

    def _question(self, exchange: _Exchange) -> Question:
        if exchange.write:
            return Write(_LimitedQuotes(self._sides.quotes, self._seconds), exchange.request, exchange.answer)
        legacy = self._measured(self._sides.legacy, exchange.capability, Side.LEGACY)
        modern = self._measured(self._sides.modern[exchange.capability], exchange.capability, Side.MODERN)
        return Read(legacy, modern, exchange.request, exchange.side, exchange.answer, self._pace.compare)

    def _measured(self, upstream: Upstream, capability: Capability, side: Side) -> Upstream:
        def report(milliseconds: float) -> None:
            self._tally.measured(capability, side, milliseconds)

        return _Measured(upstream, self._seconds, report)

    def _judge(self, exchange: _Exchange, verdict: Verdict) -> None:
        capability, request = exchange.capability, exchange.request
        if self._generation(capability) != exchange.generation:
            COMPARED.labels(capability, "outdated").inc()
            return
        COMPARED.labels(capability, verdict.outcome).inc()
        if verdict.outcome is not Outcome.MISMATCHED:
            self._tally.matched(capability)
            return
        for each in verdict.differences:
            DIFFERENCES.labels(capability, each.kind).inc()
        found = tuple(asdict(each) for each in verdict.differences[:20])
        path = f"{request.path}?{request.query}" if request.query else request.path
        self._tally.mismatched(capability, Mismatch(request.method, path, found))

    def _drop(self, capability: Capability) -> None:
        COMPARED.labels(capability, "dropped").inc()
        self._tally.dropped(capability)


async def _within(seconds: float, answer: Awaitable[T]) -> T:
    try:
        async with asyncio.timeout(seconds):
            return await answer
    except TimeoutError:
        raise CannotAnswer(f"no answer within {seconds} s") from None


class _Measured:
    """A side that the mirror does not wait for longer than its limit, with the time that each answer took."""

    def __init__(self, side: Upstream, seconds: float, report: Callable[[float], None]) -> None:
        self._side = side
        self._seconds = seconds
        self._report = report

    async def answer(self, request: LegacyRequest) -> LegacyResponse:
        started = time.perf_counter()
        answer = await _within(self._seconds, self._side.answer(request))
        self._report((time.perf_counter() - started) * 1000)
        return answer


class _LimitedQuotes:
    def __init__(self, quotes: Quotes, seconds: float) -> None:
        self._quotes = quotes
        self._seconds = seconds

    async def quote(self, request: LegacyRequest, answer: LegacyResponse) -> tuple[object, object] | None:
        return await _within(self._seconds, self._quotes.quote(request, answer))
