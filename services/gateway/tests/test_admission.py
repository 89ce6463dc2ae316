"""Rate limit and bulkhead, on a clock that the test moves."""

import pytest

from gateway.admission import Bulkhead, RateLimiter
from gateway.problems import Refusal
from gateway.routes import Rate


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def limiter(clock: Clock, clients: int = 100) -> RateLimiter:
    return RateLimiter({Rate.READ: 5, Rate.WRITE: 1}, clients, clock)


def taken(limits: RateLimiter, client: str, attempts: int) -> int:
    granted = 0
    for _ in range(attempts):
        try:
            limits.take(Rate.READ, client)
        except Refusal:
            continue
        granted += 1
    return granted


def test_a_client_gets_its_burst_and_then_its_rate() -> None:
    clock = Clock()
    limits = limiter(clock)
    assert taken(limits, "a", 50) == 10
    clock.now += 1
    assert taken(limits, "a", 50) == 5


def test_one_client_does_not_use_up_anothers_tokens() -> None:
    limits = limiter(Clock())
    taken(limits, "a", 50)
    assert taken(limits, "b", 50) == 10


def test_the_refusal_says_when_to_come_back() -> None:
    limits = limiter(Clock())
    for _ in range(2):
        limits.take(Rate.WRITE, "a")
    with pytest.raises(Refusal) as refused:
        limits.take(Rate.WRITE, "a")
    assert refused.value.problem.status == 429
    assert refused.value.headers == (("retry-after", "1"),)


def test_a_flood_of_clients_costs_bounded_memory() -> None:
    limits = limiter(Clock(), clients=100)
    for number in range(10_000):
        limits.take(Rate.READ, number)
    assert len(limits) == 100


def test_a_bulkhead_refuses_beyond_its_limit_and_frees_places() -> None:
    bulkhead = Bulkhead(2, "bulkhead", "full")
    bulkhead.enter()
    bulkhead.enter()
    with pytest.raises(Refusal) as refused:
        bulkhead.enter()
    assert refused.value.problem.status == 503
    assert refused.value.headers == (("retry-after", "1"),)
    bulkhead.leave()
    bulkhead.enter()
