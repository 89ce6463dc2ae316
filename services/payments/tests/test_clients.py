"""What the processor's answers are taken for, and the breaker in front of it."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import httpx
import pytest

from chassis.breaker import Breaker, BreakerOpen, BreakerPolicy
from chassis.errors import DependencyUnavailable
from chassis.http_client import HttpClient
from payments.clients import HttpProcessor
from payments.domain import Charged, Declined, NotSent, OutcomeUnknown, Payment, ProcessorContradicts

CHARGE = UUID(int=3)
PAYMENT = Payment.open(UUID(int=1), UUID(int=2), 1299, "EUR", "tok_ok", datetime(2025, 1, 1, tzinfo=UTC))
BODY = {"id": str(CHARGE), "state": "charged", "reason": None, "amount": 1299, "currency": "EUR"}
POLICY = BreakerPolicy(consecutive=3, open_seconds=5.0)


class Psp:
    """A scripted processor that keeps the requests it gets."""

    def __init__(self, status: int = 201, body: Any = BODY) -> None:
        self.status, self.body = status, body
        self.error: Exception | None = None
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        if self.error is not None:
            raise self.error
        return httpx.Response(self.status, json=self.body)


@asynccontextmanager
async def processor(psp: Psp, clock: Callable[[], float] = lambda: 0.0) -> AsyncIterator[HttpProcessor]:
    client = HttpClient(
        "psp",
        "http://psp",
        timeout=1,
        breaker=Breaker("psp", POLICY, clock),
        transport=httpx.MockTransport(psp),
    )
    await client.start()
    yield HttpProcessor(client)
    await client.stop()


async def test_a_charge_carries_the_order_as_its_key_and_is_read_back() -> None:
    psp = Psp()
    async with processor(psp) as client:
        assert await client.charge(PAYMENT) == Charged(CHARGE)
    assert psp.requests[0].headers["Idempotency-Key"] == str(PAYMENT.order_id)


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (201, {**BODY, "state": "declined", "reason": "stolen_card"}, Declined("stolen_card")),
        (422, {"type": "urn:banyan:problem:unknown-card"}, Declined("unknown_card")),
        (422, {"type": "urn:banyan:problem:unprocessable"}, Declined("refused_by_processor")),
        (400, "?", Declined("refused_by_processor")),
    ],
)
async def test_a_refusal_for_good_is_a_declined_card(status: int, body: Any, expected: Declined) -> None:
    async with processor(Psp(status, body)) as client:
        assert await client.charge(PAYMENT) == expected


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (500, {}),
        (502, {}),
        (503, {}),
        (504, {}),
        (302, {}),
        (404, {}),
        (422, {"type": "urn:banyan:problem:idempotency-key-reused"}),
        (201, {"id": "?"}),
        (201, {**BODY, "state": "pending"}),
    ],
)
async def test_an_answer_that_does_not_settle_it_leaves_the_outcome_unknown(status: int, body: Any) -> None:
    psp = Psp(status, body)
    async with processor(psp) as client:
        with pytest.raises(OutcomeUnknown):
            await client.charge(PAYMENT)
    assert len(psp.requests) == 1, "a charge is never sent twice in one go"


@pytest.mark.parametrize("error", [httpx.ReadTimeout("late"), httpx.ReadError("cut"), httpx.RemoteProtocolError("?")])
async def test_an_answer_that_does_not_come_leaves_the_outcome_unknown(error: Exception) -> None:
    psp = Psp()
    psp.error = error
    async with processor(psp) as client:
        with pytest.raises(OutcomeUnknown):
            await client.charge(PAYMENT)
    assert len(psp.requests) == 1


@pytest.mark.parametrize("status", [401, 403, 429])
async def test_a_charge_turned_away_at_the_door_was_not_sent(status: int) -> None:
    async with processor(Psp(status, {})) as client:
        with pytest.raises(NotSent):
            await client.charge(PAYMENT)


async def test_a_charge_of_another_amount_under_our_key_is_for_a_person_to_look_at() -> None:
    async with processor(Psp(200, {**BODY, "amount": 1300})) as client:
        with pytest.raises(ProcessorContradicts):
            await client.find(PAYMENT)


async def test_a_question_tells_unknown_from_no_answer() -> None:
    async with processor(Psp(404, {})) as client:
        assert await client.find(PAYMENT) is None
    for psp in (Psp(401, {}), Psp(500, {}), Psp(200, {"id": "?"})):
        async with processor(psp) as client:
            with pytest.raises(DependencyUnavailable):
                await client.find(PAYMENT)
        assert len(psp.requests) == 1


async def test_a_refund_carries_a_key_of_its_own_and_anything_but_a_yes_is_an_error() -> None:
    psp = Psp(201, {})
    payment = PAYMENT.settle(Charged(CHARGE), PAYMENT.created_at)
    async with processor(psp) as client:
        await client.refund(payment)
        assert psp.requests[0].headers["Idempotency-Key"] == f"refund-{PAYMENT.order_id}"
        for status, error in ((409, ProcessorContradicts), (401, DependencyUnavailable), (500, DependencyUnavailable)):
            psp.status = status
            with pytest.raises(error):
                await client.refund(payment)


async def test_the_breaker_opens_after_failures_then_one_probe_closes_it() -> None:
    now = 0.0
    psp = Psp(500, {})
    async with processor(psp, lambda: now) as client:
        for _ in range(POLICY.consecutive):
            with pytest.raises(OutcomeUnknown):
                await client.charge(PAYMENT)
        psp.status, psp.body = 201, BODY
        with pytest.raises(NotSent):
            await client.charge(PAYMENT)
        with pytest.raises(BreakerOpen):
            await client.find(PAYMENT)
        assert len(psp.requests) == POLICY.consecutive, "an open breaker lets nothing through"
        now += POLICY.open_seconds
        assert await client.charge(PAYMENT) == Charged(CHARGE)
        assert await client.charge(PAYMENT) == Charged(CHARGE)


async def test_a_failed_probe_keeps_the_breaker_open() -> None:
    now = 0.0
    psp = Psp(500, {})
    async with processor(psp, lambda: now) as client:
        for _ in range(POLICY.consecutive):
            with pytest.raises(OutcomeUnknown):
                await client.charge(PAYMENT)
        now += POLICY.open_seconds
        with pytest.raises(OutcomeUnknown):
            await client.charge(PAYMENT)
        with pytest.raises(NotSent):
            await client.charge(PAYMENT)
    assert len(psp.requests) == POLICY.consecutive + 1
