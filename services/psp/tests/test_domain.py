"""How a charge is decided and what is left of it."""

from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from psp.domain import CARDS, Charge, ChargeRequest, ChargeState, RefundRefused, UnknownCard

NOW = datetime(2025, 1, 1, tzinfo=UTC)


def charge(token: str = "tok_ok", amount: int = 1000) -> Charge:
    return Charge.decide(UUID(int=1), "key", ChargeRequest(amount, "EUR", token), NOW)


@pytest.mark.parametrize("token", [token for token, card in CARDS.items() if card.declined is None])
def test_a_good_card_is_charged(token: str) -> None:
    assert charge(token).state is ChargeState.CHARGED


@pytest.mark.parametrize(("token", "reason"), [("tok_declined", "insufficient_funds"), ("tok_stolen", "stolen_card")])
def test_a_bad_card_is_declined_with_its_reason(token: str, reason: str) -> None:
    assert (charge(token).state, charge(token).reason) == (ChargeState.DECLINED, reason)


def test_a_token_of_no_card_is_refused() -> None:
    with pytest.raises(UnknownCard):
        charge("tok_made_up")


def test_a_declined_charge_has_nothing_to_refund() -> None:
    with pytest.raises(RefundRefused):
        charge("tok_declined").refund(1)


@given(st.lists(st.integers(1, 1000), max_size=20))
def test_no_series_of_refunds_gives_back_more_than_was_charged(amounts: list[int]) -> None:
    left = charge(amount=1000)
    for amount in amounts:
        try:
            left = left.refund(amount)
        except RefundRefused:
            assert left.refunded + amount > 1000
    assert left.refunded <= 1000


def test_a_card_token_does_not_show_in_a_log_of_the_request() -> None:
    assert "tok_ok" not in repr(charge()) + repr(replace(charge(), refunded=1))
