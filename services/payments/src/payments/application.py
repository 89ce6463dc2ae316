"""The use cases of payments: charge, refund, read.

A charge is sent between two transactions, so a crash or a lost answer can leave it open. Then the processor is asked by
key, and the charge is sent again only when it knows of none although a request on its way would have arrived by now.
"""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta
from typing import Protocol
from uuid import UUID

import structlog

from chassis.consumer import Retry
from chassis.errors import DependencyUnavailable
from payments.domain import NotSent, Outcome, OutcomeUnknown, Payment, PaymentEvent, PaymentNotFound, PaymentState

log = structlog.get_logger(__name__)
ASK_AGAIN = 0.5


class Processor(Protocol):
    """The card processor. Each may raise `ProcessorContradicts`."""

    async def charge(self, payment: Payment) -> Outcome:
        """Send the charge; raises `NotSent` or `OutcomeUnknown`."""

    async def find(self, payment: Payment) -> Outcome | None:
        """What came of the charge, None if none is known; raises `DependencyUnavailable`, `BreakerOpen`."""

    async def refund(self, payment: Payment) -> None:
        """Give all of it back; may be repeated. Raises `DependencyUnavailable`, `BreakerOpen`."""


class UnitOfWork(Protocol):
    """One transaction."""

    async def add(self, payment: Payment) -> None: ...
    async def replace(self, payment: Payment) -> None: ...
    async def publish(self, event: PaymentEvent) -> None: ...


class Storage(Protocol):
    """`handling`: the message whose effect the transaction is. Writing raises `Overtaken` instead of overwriting."""

    def begin(self, handling: UUID | None = None) -> AbstractAsyncContextManager[UnitOfWork]: ...
    async def add_first(self, payment: Payment) -> bool: ...
    async def load(self, order_id: UUID) -> Payment | None: ...


def utc_now() -> datetime:
    """The time, in UTC."""
    return datetime.now(UTC)


class Payments:
    """`settle`: how long after it was sent a request may still arrive; `at_work`: the longest that a command takes."""

    def __init__(
        self,
        storage: Storage,
        processor: Processor,
        settle: timedelta,
        at_work: timedelta,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self._storage = storage
        self._processor = processor
        self._settle = settle
        self._at_work = at_work
        self._clock = clock

    async def read(self, order_id: UUID, customer_id: UUID | None) -> Payment:
        """The payment of an order, to its customer; with `customer_id` None to an operator."""
        payment = await self._storage.load(order_id)
        if payment is None or customer_id not in (None, payment.customer_id):
            raise PaymentNotFound(f"there is no payment for order {order_id}")
        return payment

    async def charge_card(
        self, order_id: UUID, customer_id: UUID, amount: int, currency: str, card_token: str, message_id: UUID
    ) -> None:
        """Charge the card of an order once, and tell what came of it, now and at each repetition."""
        fresh = Payment.open(order_id, customer_id, amount, currency, card_token, self._clock())
        if await self._storage.add_first(fresh):
            payment, outcome = fresh, await self._send(fresh, sent_before=None)
        else:
            payment = await self._stored(order_id)
            if payment.state is not PaymentState.OPEN:
                await self._tell(payment.answer_to_charge(), message_id)
                return
            payment, outcome = await self._resolve(payment)
        settled = payment.settle(outcome, self._clock())
        await self._conclude(settled, settled.answer_to_charge(), message_id)

    async def refund_card(self, order_id: UUID, message_id: UUID) -> None:
        """See to it that nothing of the order's money is with us or comes to us, and tell so."""
        payment = await self._storage.load(order_id)
        if payment is None:
            await self._leave_tombstone(order_id, message_id)
        elif payment.state is PaymentState.OPEN and payment.submitted_at is not None:
            # The command to charge may be lost for good, and nobody else would ever close the payment.
            await self._replace(await self._clear_up(payment, payment.submitted_at))
            await self.refund_card(order_id, message_id)
        elif payment.state is PaymentState.OPEN:
            voided = payment.void(self._clock())
            await self._conclude(voided, voided.answer_to_refund(), message_id)
        elif payment.state in (PaymentState.CHARGED, PaymentState.REFUNDING):
            await self._give_back(payment, message_id)
        else:
            await self._tell(payment.answer_to_refund(), message_id)

    async def _resolve(self, payment: Payment) -> tuple[Payment, Outcome]:
        """An earlier delivery left the payment open: ask, and send only what cannot be on its way any more."""
        sent_before, now = payment.submitted_at, self._clock()
        if sent_before is not None:
            found = await self._processor.find(payment)
            if found is not None:
                return payment, found
            if now - sent_before < self._settle:
                raise Retry(ASK_AGAIN, "the charge may still be on its way")
        again = payment.submit(now)
        await self._replace(again)
        return again, await self._send(again, sent_before)

    async def _send(self, payment: Payment, sent_before: datetime | None) -> Outcome:
        try:
            return await self._processor.charge(payment)
        except NotSent as error:
            await self._replace(payment.take_back(sent_before, self._clock()))
            raise DependencyUnavailable(str(error)) from error
        except OutcomeUnknown as unknown:
            log.warning("charge.outcome-unknown", order_id=str(payment.order_id), reason=str(unknown))
        found = await self._processor.find(payment)
        if found is None:
            raise Retry(ASK_AGAIN, "the charge may still be on its way")
        return found

    async def _leave_tombstone(self, order_id: UUID, message_id: UUID) -> None:
        tombstone = Payment.tombstone(order_id, self._clock())
        async with self._storage.begin(handling=message_id) as work:
            await work.add(tombstone)
            await work.publish(tombstone.answer_to_refund())

    async def _clear_up(self, payment: Payment, sent: datetime) -> Payment:
        """What came of a charge: its outcome, or that it was never sent, once no delivery can be about to send it."""
        found, now = await self._processor.find(payment), self._clock()
        if found is not None:
            return payment.settle(found, now)
        if now - sent < self._at_work + self._settle:
            raise Retry(ASK_AGAIN, "the charge has no outcome yet")
        return payment.take_back(None, now)

    async def _give_back(self, payment: Payment, message_id: UUID) -> None:
        if payment.state is PaymentState.CHARGED:
            payment = payment.start_refund(self._clock())
            await self._replace(payment)
        # No question by key is needed here: the processor repeats the answer of a refund that it knows.
        await self._processor.refund(payment)
        refunded = payment.refund(self._clock())
        await self._conclude(refunded, refunded.answer_to_refund(), message_id)

    async def _stored(self, order_id: UUID) -> Payment:
        payment = await self._storage.load(order_id)
        if payment is None:
            raise PaymentNotFound(f"the payment for order {order_id} was deleted meanwhile")
        return payment

    async def _replace(self, payment: Payment) -> None:
        async with self._storage.begin() as work:
            await work.replace(payment)

    async def _conclude(self, payment: Payment, event: PaymentEvent, message_id: UUID) -> None:
        async with self._storage.begin(handling=message_id) as work:
            await work.replace(payment)
            await work.publish(event)
        log.info("payment.concluded", order_id=str(payment.order_id), state=payment.state, reason=payment.reason)

    async def _tell(self, event: PaymentEvent, message_id: UUID) -> None:
        async with self._storage.begin(handling=message_id) as work:
            await work.publish(event)
