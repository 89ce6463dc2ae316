"""A payment: the money of one order, from the wish to charge a card to what came of it.

The card token is kept only as long as it may be needed: with the outcome it is forgotten.
"""

from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

NO_CURRENCY = "XXX"  # ISO 4217's own code for "no currency is involved"
VOIDED, REFUNDED = "voided", "refunded"


class PaymentNotFound(Exception):
    """There is no such payment, or it is somebody else's."""


class TransitionRefused(Exception):
    """The payment is not in the state that the transition starts from: a bug, not input."""


class Overtaken(Exception):
    """Another delivery for the same order has changed the payment since it was read: read it again."""


class NotSent(Exception):
    """The charge has certainly not left us, or was turned away unread."""


class OutcomeUnknown(Exception):
    """The charge may have taken effect: ask before anything else is done."""


class ProcessorContradicts(Exception):
    """The processor's answer does not fit what we asked for; a person has to look at it."""


class PaymentState(StrEnum):
    OPEN = "open"
    CHARGED = "charged"
    DECLINED = "declined"
    VOIDED = "voided"
    REFUNDING = "refunding"
    REFUNDED = "refunded"


@dataclass(frozen=True)
class Charged:
    """The processor has the money, under this id."""

    charge_id: UUID


@dataclass(frozen=True)
class Declined:
    """The processor has not taken the money, and will not."""

    reason: str


Outcome = Charged | Declined


@dataclass(frozen=True)
class CardCharged:
    order_id: UUID
    version: int
    charge_id: UUID
    amount: int
    currency: str


@dataclass(frozen=True)
class CardDeclined:
    order_id: UUID
    version: int
    reason: str


@dataclass(frozen=True)
class CardRefunded:
    """Nothing of the order's money is with us any more; `amount` is what was given back, 0 if there was none."""

    order_id: UUID
    version: int
    amount: int
    currency: str


PaymentEvent = CardCharged | CardDeclined | CardRefunded


@dataclass(frozen=True)
class Payment:
    """The aggregate. `amount` in minor units; `submitted_at`: when the charge was last sent, None if it never was."""

    order_id: UUID
    customer_id: UUID | None
    amount: int
    currency: str
    card_token: str | None = field(repr=False)
    created_at: datetime
    updated_at: datetime
    submitted_at: datetime | None
    state: PaymentState = PaymentState.OPEN
    charge_id: UUID | None = None
    reason: str | None = None
    version: int = 1

    @classmethod
    def open(
        cls, order_id: UUID, customer_id: UUID, amount: int, currency: str, card_token: str, now: datetime
    ) -> "Payment":
        """A payment whose charge is about to be sent."""
        return cls(order_id, customer_id, amount, currency, card_token, now, now, submitted_at=now)

    @classmethod
    def tombstone(cls, order_id: UUID, now: datetime) -> "Payment":
        """The mark of a refund that came before its charge: a charge that comes later finds it and is declined."""
        return cls(order_id, None, 0, NO_CURRENCY, None, now, now, None, PaymentState.VOIDED, reason=VOIDED)

    def submit(self, now: datetime) -> "Payment":
        """open → open: the charge is about to be sent again."""
        return self._become(PaymentState.OPEN, now, PaymentState.OPEN, submitted_at=now)

    def take_back(self, submitted_at: datetime | None, now: datetime) -> "Payment":
        """open → open: the charge was not sent after all; `submitted_at` is when it was sent before that, if ever."""
        return self._become(PaymentState.OPEN, now, PaymentState.OPEN, submitted_at=submitted_at)

    def settle(self, outcome: Outcome, now: datetime) -> "Payment":
        """open → charged or declined."""
        if isinstance(outcome, Charged):
            charged = {"charge_id": outcome.charge_id, "card_token": None}
            return self._become(PaymentState.CHARGED, now, PaymentState.OPEN, **charged)
        return self._become(PaymentState.DECLINED, now, PaymentState.OPEN, reason=outcome.reason, card_token=None)

    def void(self, now: datetime) -> "Payment":
        """open → voided, if the charge was never sent: afterwards it never will be."""
        if self.submitted_at is not None:
            raise TransitionRefused(f"the charge of order {self.order_id} may have taken effect")
        return self._become(PaymentState.VOIDED, now, PaymentState.OPEN, reason=VOIDED, card_token=None)

    def start_refund(self, now: datetime) -> "Payment":
        """charged → refunding."""
        return self._become(PaymentState.REFUNDING, now, PaymentState.CHARGED)

    def refund(self, now: datetime) -> "Payment":
        """refunding → refunded."""
        return self._become(PaymentState.REFUNDED, now, PaymentState.REFUNDING)

    def answer_to_charge(self) -> CardCharged | CardDeclined:
        """What a command to charge is answered, the first time and each time after."""
        if self.state is PaymentState.CHARGED and self.charge_id is not None:
            return CardCharged(self.order_id, self.version, self.charge_id, self.amount, self.currency)
        if self.state is PaymentState.OPEN:
            raise TransitionRefused(f"the charge of order {self.order_id} has no outcome yet")
        # Money that is on its way back, or is back, is not there: to say "charged" would be wrong by now.
        return CardDeclined(self.order_id, self.version, self.reason or REFUNDED)

    def answer_to_refund(self) -> CardRefunded:
        """What a command to refund is answered, the first time and each time after."""
        if self.state not in (PaymentState.REFUNDED, PaymentState.DECLINED, PaymentState.VOIDED):
            raise TransitionRefused(f"the money of order {self.order_id} may still be with us")
        amount = self.amount if self.state is PaymentState.REFUNDED else 0
        return CardRefunded(self.order_id, self.version, amount, self.currency)

    def _become(self, state: PaymentState, now: datetime, start: PaymentState, **changes: Any) -> "Payment":
        if self.state is not start:
            raise TransitionRefused(f"the payment of order {self.order_id} is {self.state}, not {start}")
        return replace(self, state=state, updated_at=now, version=self.version + 1, **changes)
