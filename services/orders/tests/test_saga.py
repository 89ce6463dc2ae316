"""The saga as a scripted conversation: what is said, what is answered, what happens to the order."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orders.saga import LONGEST_WAIT, Checkout, Command, Direction, Move, Outcome, Reply

NOW = datetime(2026, 3, 14, tzinfo=UTC)
ORDER = UUID("01957c3e-0f00-7000-8000-000000000001")
CHECKOUT = Checkout()


class Conversation:
    """Plays a saga: each call is one thing that happens, `said` are the commands, `outcomes` the order's fate."""

    def __init__(self) -> None:
        move = CHECKOUT.begin(ORDER, NOW)
        self.saga = move.saga
        self.said: list[Command] = []
        self.outcomes: list[Outcome] = []
        self._take(move)

    def answer(self, reply: Reply, reason: str | None = None) -> "Conversation":
        self._take(CHECKOUT.answered(self.saga, reply, reason, NOW))
        return self

    def time_out(self, times: int = 1) -> "Conversation":
        for _ in range(times):
            self._take(CHECKOUT.timed_out(self.saga, NOW))
        return self

    def customer_cancels(self) -> "Conversation":
        self._take(CHECKOUT.cancelled(self.saga, "changed my mind", NOW))
        return self

    def _take(self, move: Move | None) -> None:
        if move is not None:
            self.saga = move.saga
            self.said += [move.command] if move.command else []
            self.outcomes += move.outcomes


def test_a_good_checkout_reserves_charges_commits_and_confirms() -> None:
    played = Conversation().answer(Reply.STOCK_RESERVED).answer(Reply.CARD_CHARGED).answer(Reply.STOCK_COMMITTED)
    assert played.said == [Command.RESERVE_STOCK, Command.CHARGE_CARD, Command.COMMIT_STOCK]
    assert played.outcomes == [Outcome.CONFIRM]
    assert played.saga.direction is Direction.ENDED


def test_refused_stock_cancels_without_anything_to_undo() -> None:
    played = Conversation().answer(Reply.STOCK_REFUSED, "out-of-stock")
    assert played.said == [Command.RESERVE_STOCK]
    assert played.outcomes == [Outcome.START_CANCELLING, Outcome.CANCEL]
    assert played.saga.reason == "out-of-stock"


def test_a_declined_card_releases_the_stock_before_the_order_is_cancelled() -> None:
    played = Conversation().answer(Reply.STOCK_RESERVED).answer(Reply.CARD_DECLINED, "insufficient_funds")
    assert played.said[-1] is Command.RELEASE_STOCK
    assert played.outcomes == [Outcome.START_CANCELLING]
    assert played.answer(Reply.STOCK_RELEASED).outcomes[-1] is Outcome.CANCEL


def test_stock_refused_at_the_commit_refunds_and_then_releases() -> None:
    played = Conversation().answer(Reply.STOCK_RESERVED).answer(Reply.CARD_CHARGED).answer(Reply.STOCK_REFUSED)
    played.answer(Reply.CARD_REFUNDED).answer(Reply.STOCK_RELEASED)
    assert played.said[-2:] == [Command.REFUND_CARD, Command.RELEASE_STOCK]
    assert played.outcomes == [Outcome.START_CANCELLING, Outcome.CANCEL]


def test_an_unanswered_charge_is_repeated_then_refunded_because_it_may_have_happened() -> None:
    played = Conversation().answer(Reply.STOCK_RESERVED).time_out(3)
    assert played.said[1:] == [Command.CHARGE_CARD] * 4
    assert played.time_out().said[-1] is Command.REFUND_CARD


def test_a_compensation_is_repeated_without_end() -> None:
    played = Conversation().answer(Reply.STOCK_RESERVED).answer(Reply.CARD_DECLINED).time_out(50)
    assert played.said[-50:] == [Command.RELEASE_STOCK] * 50
    assert played.saga.due_at - NOW == LONGEST_WAIT


def test_the_commit_is_repeated_without_end_since_the_money_is_taken() -> None:
    played = Conversation().answer(Reply.STOCK_RESERVED).answer(Reply.CARD_CHARGED).time_out(50)
    assert played.said[-50:] == [Command.COMMIT_STOCK] * 50


@pytest.mark.parametrize("answered", [[], [Reply.STOCK_RESERVED]])
def test_a_customer_may_cancel_before_the_commit(answered: list[Reply]) -> None:
    played = Conversation()
    for reply in answered:
        played.answer(reply)
    assert played.customer_cancels().outcomes == [Outcome.START_CANCELLING]


def test_a_customer_may_not_cancel_from_the_commit_on() -> None:
    played = Conversation().answer(Reply.STOCK_RESERVED).answer(Reply.CARD_CHARGED)
    assert played.customer_cancels().outcomes == []


def test_a_late_or_repeated_reply_moves_nothing() -> None:
    played = Conversation().answer(Reply.STOCK_RESERVED)
    before = played.saga
    assert played.answer(Reply.STOCK_RESERVED).answer(Reply.STOCK_COMMITTED).saga == before


happenings = st.lists(st.one_of(st.sampled_from(list(Reply)), st.just("time-out"), st.just("cancel")), max_size=60)


@given(happenings)
def test_whatever_happens_the_order_is_told_one_fate_and_every_done_step_is_undone(script: list[Reply | str]) -> None:
    played = Conversation()
    for happening in script:
        if isinstance(happening, Reply):
            played.answer(happening)
        elif played.saga.direction is not Direction.ENDED:
            played.time_out() if happening == "time-out" else played.customer_cancels()
    assert played.outcomes in (
        [],
        [Outcome.CONFIRM],
        [Outcome.START_CANCELLING],
        [Outcome.START_CANCELLING, Outcome.CANCEL],
    )
    if played.outcomes[-1:] == [Outcome.CANCEL] and Command.CHARGE_CARD in played.said:
        assert Command.RELEASE_STOCK in played.said
    if played.outcomes[-1:] == [Outcome.CANCEL] and Command.COMMIT_STOCK in played.said:
        assert Command.REFUND_CARD in played.said


def test_waiting_grows_and_stays_bounded() -> None:
    played = Conversation()
    waits: list[timedelta] = []
    for _ in range(3):
        played.time_out()
        waits.append(played.saga.due_at - NOW)
    assert waits == sorted(waits)
    assert max(waits) <= LONGEST_WAIT
