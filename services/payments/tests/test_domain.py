"""The transitions of a payment."""

from collections.abc import Callable
from datetime import UTC, datetime
from uuid import UUID

import pytest

from payments.domain import (
    CardCharged,
    CardDeclined,
    CardRefunded,
    Charged,
    Declined,
    Payment,
    PaymentState,
    TransitionRefused,
)

NOW = datetime(2025, 1, 1, tzinfo=UTC)
ORDER, CUSTOMER, CHARGE = UUID(int=1), UUID(int=2), UUID(int=3)


def opened() -> Payment:
    return Payment.open(ORDER, CUSTOMER, 1299, "EUR", "tok_ok", NOW)


def charged() -> Payment:
    return opened().settle(Charged(CHARGE), NOW)


STATES: dict[PaymentState, Payment] = {
    PaymentState.OPEN: opened(),
    PaymentState.CHARGED: charged(),
    PaymentState.DECLINED: opened().settle(Declined("stolen_card"), NOW),
    PaymentState.VOIDED: opened().take_back(None, NOW).void(NOW),
    PaymentState.REFUNDING: charged().start_refund(NOW),
    PaymentState.REFUNDED: charged().start_refund(NOW).refund(NOW),
}
TRANSITIONS: list[tuple[PaymentState, Callable[[Payment], Payment]]] = [
    (PaymentState.OPEN, lambda payment: payment.submit(NOW)),
    (PaymentState.OPEN, lambda payment: payment.settle(Charged(CHARGE), NOW)),
    (PaymentState.OPEN, lambda payment: payment.take_back(None, NOW)),
    (PaymentState.CHARGED, lambda payment: payment.start_refund(NOW)),
    (PaymentState.REFUNDING, lambda payment: payment.refund(NOW)),
]


@pytest.mark.parametrize(("start", "transition"), TRANSITIONS)
@pytest.mark.parametrize("state", PaymentState)
def test_a_transition_starts_from_its_own_state_only(
    state: PaymentState, start: PaymentState, transition: Callable[[Payment], Payment]
) -> None:
    payment = STATES[state]
    if state is start:
        assert transition(payment).version == payment.version + 1
    else:
        with pytest.raises(TransitionRefused):
            transition(payment)


def test_a_charge_that_was_sent_cannot_be_voided() -> None:
    with pytest.raises(TransitionRefused):
        opened().void(NOW)


def test_the_card_is_forgotten_with_the_outcome() -> None:
    assert opened().card_token == "tok_ok"
    assert {payment.card_token for state, payment in STATES.items() if state is not PaymentState.OPEN} == {None}
    assert "tok_ok" not in repr(opened())


def test_the_answer_to_a_charge_tells_where_the_money_is_now() -> None:
    assert STATES[PaymentState.CHARGED].answer_to_charge() == CardCharged(ORDER, 2, CHARGE, 1299, "EUR")
    reasons = {}
    for state in (PaymentState.DECLINED, PaymentState.VOIDED, PaymentState.REFUNDING, PaymentState.REFUNDED):
        answer = STATES[state].answer_to_charge()
        assert isinstance(answer, CardDeclined)
        reasons[state] = answer.reason
    assert list(reasons.values()) == ["stolen_card", "voided", "refunded", "refunded"]


def test_a_refund_is_answered_only_once_no_money_can_be_with_us() -> None:
    assert STATES[PaymentState.REFUNDED].answer_to_refund() == CardRefunded(ORDER, 4, 1299, "EUR")
    assert STATES[PaymentState.DECLINED].answer_to_refund().amount == 0
    assert Payment.tombstone(ORDER, NOW).answer_to_refund() == CardRefunded(ORDER, 1, 0, "XXX")
    for state in (PaymentState.OPEN, PaymentState.CHARGED, PaymentState.REFUNDING):
        with pytest.raises(TransitionRefused):
            STATES[state].answer_to_refund()
