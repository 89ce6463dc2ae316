"""The breaker opens on failures, lets one probe through, and judges nothing that says nothing."""

import asyncio
from dataclasses import dataclass

import pytest

from chassis.breaker import Breaker, BreakerOpen, BreakerPolicy

POLICY = BreakerPolicy(consecutive=5, failure_ratio=0.5, minimum=20, window=30, open_seconds=5)


class Failed(Exception):
    """What counts against the upstream."""


@dataclass
class Clock:
    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def breaker(clock: Clock, request: pytest.FixtureRequest) -> Breaker:
    return Breaker(request.node.name, POLICY, clock)


async def succeed() -> str:
    return "fine"


async def fail() -> str:
    raise Failed


async def call_failing(breaker: Breaker, times: int) -> None:
    for _ in range(times):
        with pytest.raises(Failed):
            await breaker.call(fail, (Failed,))


async def open_up(breaker: Breaker) -> None:
    await call_failing(breaker, POLICY.consecutive)
    assert breaker.state == "open"


async def test_it_opens_after_consecutive_failures_and_then_makes_no_call(breaker: Breaker) -> None:
    await call_failing(breaker, POLICY.consecutive - 1)
    assert breaker.state == "closed"
    await call_failing(breaker, 1)
    made: list[int] = []

    async def call() -> None:
        made.append(1)

    with pytest.raises(BreakerOpen) as refused:
        await breaker.call(call, (Failed,))
    assert not made
    assert 0 < refused.value.retry_after <= POLICY.open_seconds


async def test_it_opens_on_a_rate_of_failures_that_never_come_in_a_row(breaker: Breaker) -> None:
    calls = 0
    while breaker.state == "closed" and calls < 100:
        await call_failing(breaker, 2)
        calls += 3
        if breaker.state == "closed":
            await breaker.call(succeed, (Failed,))
    assert breaker.state == "open"
    assert calls <= POLICY.minimum + 3


async def test_a_rate_below_the_limit_keeps_it_closed(breaker: Breaker) -> None:
    for _ in range(50):
        await call_failing(breaker, 1)
        await breaker.call(succeed, (Failed,))
        await breaker.call(succeed, (Failed,))
    assert breaker.state == "closed"


async def test_failures_older_than_the_window_are_forgotten(breaker: Breaker, clock: Clock) -> None:
    for _ in range(POLICY.minimum - 1):
        await call_failing(breaker, 1)
        await breaker.call(succeed, (Failed,))
        clock.now += POLICY.window / 10
    assert breaker.state == "closed"


async def test_half_open_admits_exactly_one_of_a_hundred_calls(breaker: Breaker, clock: Clock) -> None:
    await open_up(breaker)
    clock.now += POLICY.open_seconds
    begun, released = 0, asyncio.Event()

    async def probe() -> None:
        nonlocal begun
        begun += 1
        await released.wait()

    calls = [asyncio.create_task(breaker.call(probe, (Failed,))) for _ in range(100)]
    refused = [call for call in calls[1:] if isinstance(await _outcome(call), BreakerOpen)]
    assert (begun, len(refused), breaker.state) == (1, 99, "half-open")
    released.set()
    await calls[0]
    assert breaker.state == "closed"


async def _outcome(call: asyncio.Task[None]) -> BaseException | None:
    await asyncio.wait([call])
    return call.exception()


async def test_a_failed_probe_opens_it_for_another_period(breaker: Breaker, clock: Clock) -> None:
    await open_up(breaker)
    clock.now += POLICY.open_seconds
    await call_failing(breaker, 1)
    assert breaker.state == "open"
    clock.now += POLICY.open_seconds - 0.1
    with pytest.raises(BreakerOpen):
        await breaker.call(succeed, (Failed,))


async def test_a_late_success_does_not_close_an_open_circuit(breaker: Breaker, clock: Clock) -> None:
    early = breaker.admit()
    await open_up(breaker)
    breaker.succeeded(early)
    assert breaker.state == "open"
    clock.now += POLICY.open_seconds
    probe = breaker.admit()
    breaker.succeeded(early)
    assert breaker.state == "half-open", "a call from before the probe is no probe"
    breaker.succeeded(probe)
    assert breaker.state == "closed"


async def test_a_late_failure_does_not_reopen_a_closed_circuit(breaker: Breaker, clock: Clock) -> None:
    early = breaker.admit()
    await open_up(breaker)
    clock.now += POLICY.open_seconds
    await breaker.call(succeed, (Failed,))
    for _ in range(POLICY.consecutive):
        breaker.failed(early)
    assert breaker.state == "closed"


async def test_a_cancelled_call_is_neither_success_nor_failure(breaker: Breaker) -> None:
    await call_failing(breaker, POLICY.consecutive - 1)
    for _ in range(20):
        with pytest.raises(TimeoutError):  # and not BreakerOpen: CancelledError has to stay itself
            async with asyncio.timeout(0):
                await breaker.call(asyncio.Event().wait, (Failed,))
    assert breaker.state == "closed", "cancellations were taken for failures"
    await call_failing(breaker, 1)
    assert breaker.state == "open", "a cancellation was taken for a success"


async def test_a_cancelled_probe_leaves_room_for_the_next(breaker: Breaker, clock: Clock) -> None:
    await open_up(breaker)
    clock.now += POLICY.open_seconds
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await breaker.call(asyncio.Event().wait, (Failed,))
    assert breaker.state == "half-open"
    await breaker.call(succeed, (Failed,))
    assert breaker.state == "closed"


async def test_an_error_that_is_not_the_upstreams_is_no_failure(breaker: Breaker) -> None:
    async def refuse() -> None:
        raise LookupError

    for _ in range(50):
        with pytest.raises(LookupError):
            await breaker.call(refuse, (Failed,))
    assert breaker.state == "closed"
