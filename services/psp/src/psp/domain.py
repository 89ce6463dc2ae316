"""The card processor's ledger: charges, refunds, and the test cards that decide how a charge goes."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from uuid import UUID


class UnknownCard(Exception):
    """No card belongs to the token."""


class OutOfService(Exception):
    """The processor cannot take the charge now; it has stored nothing."""


class ChargeNotFound(Exception):
    """There is no such charge."""


class RefundRefused(Exception):
    """The charge does not hold the money that is to be given back."""


@dataclass(frozen=True)
class Card:
    """How charges of a test card go. `delay` in seconds, before anything is stored."""

    declined: str | None = None
    delay: float = 0.0
    loses_first_answer: bool = False
    out_of_service_once: bool = False


CARDS: Mapping[str, Card] = {
    "tok_ok": Card(),
    "tok_declined": Card(declined="insufficient_funds"),
    "tok_stolen": Card(declined="stolen_card"),
    "tok_slow": Card(delay=1.5),
    "tok_answer_lost": Card(loses_first_answer=True),
    "tok_unavailable_once": Card(out_of_service_once=True),
}


def card_of(token: str) -> Card:
    """The card behind a token; raises `UnknownCard`."""
    try:
        return CARDS[token]
    except KeyError:
        raise UnknownCard("no card belongs to this token") from None


@dataclass(frozen=True)
class ChargeRequest:
    """What a merchant asks for; `amount` in minor units of the ISO 4217 `currency`."""

    amount: int
    currency: str
    card_token: str = field(repr=False)


class ChargeState(StrEnum):
    CHARGED = "charged"
    DECLINED = "declined"


@dataclass(frozen=True)
class Charge:
    """An entry of the ledger; `refunded` is how much of `request.amount` was given back."""

    id: UUID
    key: str
    request: ChargeRequest
    state: ChargeState
    reason: str | None
    created_at: datetime
    refunded: int = 0

    @classmethod
    def decide(cls, id: UUID, key: str, request: ChargeRequest, now: datetime) -> "Charge":
        """Charge the card, or decline it; raises `UnknownCard`."""
        declined = card_of(request.card_token).declined
        state = ChargeState.CHARGED if declined is None else ChargeState.DECLINED
        return cls(id, key, request, state, declined, now)

    def refund(self, amount: int) -> "Charge":
        """charged → charged, with less of the money left; raises `RefundRefused`."""
        if self.state is not ChargeState.CHARGED:
            raise RefundRefused("the charge was declined: there is nothing to refund")
        if amount > self.request.amount - self.refunded:
            raise RefundRefused(f"only {self.request.amount - self.refunded} of the charge are left")
        return replace(self, refunded=self.refunded + amount)


@dataclass(frozen=True)
class Refund:
    """Money given back."""

    id: UUID
    charge_id: UUID
    key: str
    amount: int
    created_at: datetime
