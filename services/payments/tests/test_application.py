"""The use cases against a processor that loses answers, is slow, or is away, and counts what it is asked."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from chassis.consumer import Retry
from chassis.errors import DependencyUnavailable
from chassis.inbox import AlreadyHandled
from payments.application import Payments
from payments.domain import (
    CardCharged,
    CardDeclined,
    CardRefunded,
    Charged,
    NotSent,
    Outcome,
    OutcomeUnknown,
    Overtaken,
    Payment,
    PaymentEvent,
    PaymentState,
)

ORDER, CUSTOMER, CHARGE = UUID(int=1), UUID(int=2), UUID(int=3)
SETTLE = timedelta(seconds=5)
AT_WORK = timedelta(seconds=20)


class Clock:
    def __init__(self) -> None:
        self.now = datetime(2025, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


class FakeStorage:
    """Storage in memory: what a transaction wrote counts once its block is left without an error."""

    def __init__(self) -> None:
        self.payments: dict[UUID, Payment] = {}
        self.handled: set[UUID] = set()
        self.published: list[PaymentEvent] = []

    @asynccontextmanager
    async def begin(self, handling: UUID | None = None) -> AsyncIterator["FakeUnitOfWork"]:
        if handling in self.handled:
            raise AlreadyHandled(str(handling))
        work = FakeUnitOfWork(self)
        yield work
        if handling is not None:
            self.handled.add(handling)
        self.payments |= work.written
        self.published += work.published

    async def add_first(self, payment: Payment) -> bool:
        return self.payments.setdefault(payment.order_id, payment) is payment

    async def load(self, order_id: UUID) -> Payment | None:
        return self.payments.get(order_id)


class FakeUnitOfWork:
    def __init__(self, storage: FakeStorage) -> None:
        self._storage = storage
        self.written: dict[UUID, Payment] = {}
        self.published: list[PaymentEvent] = []

    async def add(self, payment: Payment) -> None:
        if payment.order_id in self._storage.payments:
            raise Overtaken
        self.written[payment.order_id] = payment

    async def replace(self, payment: Payment) -> None:
        if self._storage.payments[payment.order_id].version != payment.version - 1:
            raise Overtaken
        self.written[payment.order_id] = payment

    async def publish(self, event: PaymentEvent) -> None:
        self.published.append(event)


class FakeProcessor:
    """Charges succeed unless `failure` is set; `arrives` says whether a failed one reached the ledger all the same."""

    def __init__(self) -> None:
        self.failure: Exception | None = None
        self.arrives = False
        self.away = False
        self.charges: list[UUID] = []
        self.refunds: list[UUID] = []
        self.ledger: dict[UUID, Outcome] = {}
        self.hold = asyncio.Event()
        self.hold.set()

    async def charge(self, payment: Payment) -> Outcome:
        self.charges.append(payment.order_id)
        await self.hold.wait()
        failure, self.failure = self.failure, None
        if failure is None or self.arrives:
            self.ledger[payment.order_id] = Charged(CHARGE)
        if failure is not None:
            raise failure
        return Charged(CHARGE)

    async def find(self, payment: Payment) -> Outcome | None:
        if self.away:
            raise DependencyUnavailable("away")
        return self.ledger.get(payment.order_id)

    async def refund(self, payment: Payment) -> None:
        if self.away:
            raise DependencyUnavailable("away")
        self.refunds.append(payment.order_id)


class Desk:
    """The use cases with what they work on."""

    def __init__(self) -> None:
        self.clock, self.storage, self.psp = Clock(), FakeStorage(), FakeProcessor()
        self.payments = Payments(self.storage, self.psp, SETTLE, AT_WORK, self.clock)

    async def charge(self, message_id: UUID | None = None) -> None:
        await self.payments.charge_card(ORDER, CUSTOMER, 1299, "EUR", "tok_ok", message_id or uuid4())

    async def refund(self, message_id: UUID | None = None) -> None:
        await self.payments.refund_card(ORDER, message_id or uuid4())

    @property
    def payment(self) -> Payment:
        return self.storage.payments[ORDER]

    @property
    def told(self) -> list[type[PaymentEvent]]:
        return [type(event) for event in self.storage.published]


@pytest.fixture
def desk() -> Desk:
    return Desk()


async def test_a_lost_answer_is_asked_for_and_the_card_is_charged_once(desk: Desk) -> None:
    desk.psp.failure, desk.psp.arrives = OutcomeUnknown("lost"), True
    await desk.charge()
    assert (desk.payment.state, desk.psp.charges, desk.told) == (PaymentState.CHARGED, [ORDER], [CardCharged])


async def test_a_charge_on_its_way_is_waited_for_and_never_sent_again(desk: Desk) -> None:
    desk.psp.failure = OutcomeUnknown("timed out")
    for _ in range(5):
        with pytest.raises(Retry):
            await desk.charge()
        desk.clock.now += timedelta(seconds=0.9)
    desk.psp.ledger[ORDER] = Charged(CHARGE)
    await desk.charge()
    assert (desk.payment.state, desk.psp.charges) == (PaymentState.CHARGED, [ORDER])


async def test_a_charge_that_has_not_arrived_in_time_is_sent_again_and_then_given_time_again(desk: Desk) -> None:
    desk.psp.failure = OutcomeUnknown("timed out")
    with pytest.raises(Retry):
        await desk.charge()
    desk.clock.now += SETTLE
    desk.psp.failure = OutcomeUnknown("timed out")
    with pytest.raises(Retry):
        await desk.charge()
    assert desk.psp.charges == [ORDER, ORDER]
    desk.clock.now += SETTLE / 2
    with pytest.raises(Retry):
        await desk.charge()
    assert desk.psp.charges == [ORDER, ORDER]


async def test_while_the_processor_cannot_be_asked_nothing_is_sent(desk: Desk) -> None:
    desk.psp.failure, desk.psp.arrives, desk.psp.away = OutcomeUnknown("lost"), True, True
    for _ in range(3):
        with pytest.raises(DependencyUnavailable):
            await desk.charge()
        desk.clock.now += SETTLE
    desk.psp.away = False
    await desk.charge()
    assert (desk.payment.state, desk.psp.charges) == (PaymentState.CHARGED, [ORDER])


async def test_a_charge_that_was_not_sent_is_sent_at_the_next_delivery_without_a_wait(desk: Desk) -> None:
    desk.psp.failure = NotSent("the breaker is open")
    with pytest.raises(DependencyUnavailable):
        await desk.charge()
    assert desk.payment.submitted_at is None
    await desk.charge()
    assert desk.payment.state is PaymentState.CHARGED


async def test_a_charge_that_was_never_sent_is_voided_by_a_refund_and_never_sent_after_it(desk: Desk) -> None:
    desk.psp.failure = NotSent("the breaker is open")
    with pytest.raises(DependencyUnavailable):
        await desk.charge()
    await desk.refund()
    await desk.charge()
    assert (desk.payment.state, len(desk.psp.charges), desk.told) == (
        PaymentState.VOIDED,
        1,
        [CardRefunded, CardDeclined],
    )


async def test_a_charge_that_was_sent_before_is_not_voided_because_sending_it_again_failed(desk: Desk) -> None:
    desk.psp.failure = OutcomeUnknown("timed out")
    with pytest.raises(Retry):
        await desk.charge()
    desk.clock.now += SETTLE
    desk.psp.failure = NotSent("the breaker is open")
    with pytest.raises(DependencyUnavailable):
        await desk.charge()
    with pytest.raises(Retry):
        await desk.refund()


async def test_a_second_delivery_during_a_slow_charge_sends_nothing_and_has_no_second_effect(desk: Desk) -> None:
    message_id = uuid4()
    desk.psp.hold.clear()
    first = asyncio.create_task(desk.charge(message_id))
    while not desk.psp.charges:
        await asyncio.sleep(0)
    with pytest.raises(Retry):
        await desk.charge(message_id)
    desk.psp.hold.set()
    await first
    with pytest.raises(AlreadyHandled):
        await desk.charge(message_id)
    assert (desk.psp.charges, desk.told) == ([ORDER], [CardCharged])


async def test_of_two_deliveries_that_learn_the_outcome_at_once_one_is_overtaken(desk: Desk) -> None:
    desk.psp.hold.clear()
    first = asyncio.create_task(desk.charge())
    while not desk.psp.charges:
        await asyncio.sleep(0)
    desk.psp.ledger[ORDER] = Charged(CHARGE)
    await desk.charge()
    desk.psp.hold.set()
    with pytest.raises(Overtaken):
        await first
    assert (desk.psp.charges, desk.told) == ([ORDER], [CardCharged])


async def test_a_repeated_command_with_a_new_id_is_answered_again_and_charges_nothing(desk: Desk) -> None:
    await desk.charge()
    await desk.charge()
    assert (desk.psp.charges, desk.told) == ([ORDER], [CardCharged, CardCharged])


async def test_a_refund_of_an_open_charge_waits_for_its_outcome(desk: Desk) -> None:
    desk.psp.failure, desk.psp.arrives, desk.psp.away = OutcomeUnknown("lost"), True, True
    for attempt in (desk.charge, desk.refund):
        with pytest.raises(DependencyUnavailable):
            await attempt()
    desk.psp.away = False
    await desk.charge()
    await desk.refund()
    assert (desk.payment.state, desk.told) == (PaymentState.REFUNDED, [CardCharged, CardRefunded])


async def test_a_refund_finds_the_charge_whose_own_command_never_comes_again(desk: Desk) -> None:
    desk.psp.failure, desk.psp.arrives, desk.psp.away = OutcomeUnknown("lost"), True, True
    with pytest.raises(DependencyUnavailable):
        await desk.charge()
    desk.psp.away = False
    await desk.refund()
    assert (desk.payment.state, desk.psp.refunds) == (PaymentState.REFUNDED, [ORDER])


async def test_a_refund_voids_a_charge_that_no_delivery_can_send_any_more(desk: Desk) -> None:
    desk.psp.failure = OutcomeUnknown("lost on the way there")
    with pytest.raises(Retry):
        await desk.charge()
    desk.clock.now += SETTLE + AT_WORK - timedelta(seconds=1)
    with pytest.raises(Retry):
        await desk.refund()
    desk.clock.now += timedelta(seconds=1)
    await desk.refund()
    assert (desk.payment.state, desk.told) == (PaymentState.VOIDED, [CardRefunded])


async def test_a_refund_before_its_charge_leaves_a_tombstone_that_declines_the_charge(desk: Desk) -> None:
    await desk.refund()
    await desk.charge()
    await desk.refund()
    assert (desk.psp.charges, desk.told) == ([], [CardRefunded, CardDeclined, CardRefunded])
    assert desk.storage.published[1] == CardDeclined(ORDER, 1, "voided")


async def test_a_refund_that_lost_its_answer_is_repeated_until_the_processor_says_yes(desk: Desk) -> None:
    await desk.charge()
    desk.psp.away = True
    with pytest.raises(DependencyUnavailable):
        await desk.refund()
    assert desk.payment.state is PaymentState.REFUNDING
    desk.psp.away = False
    await desk.refund()
    await desk.refund()
    assert (desk.payment.state, desk.psp.refunds) == (PaymentState.REFUNDED, [ORDER])
    assert [event.amount for event in desk.storage.published if isinstance(event, CardRefunded)] == [1299, 1299]
