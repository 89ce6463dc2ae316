"""Reservations. A reservation is one order's claim on stock; its state alone decides what the order takes.

Commands may come twice, late and in any order: every transition accepts being asked again and answers the same.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from inventory.domain.events import Event, Reason, StockCommitted, StockRefused, StockReleased, StockReserved
from inventory.domain.stock import shortage


class AlreadyCommitted(Exception):
    """The stock of a confirmed order cannot be released: whoever asks has lost its order's history."""


class ReservationAppeared(Exception):
    """Another command made this order's reservation meanwhile; look again."""


class State(StrEnum):
    """Where a reservation stands."""

    HELD = "held"
    COMMITTED = "committed"
    RELEASED = "released"
    REFUSED = "refused"


@dataclass(frozen=True)
class Reservation:
    """One order's reservation. `version` counts its changes; `lines` are copies by ISBN, none where none was held."""

    order_id: UUID
    state: State
    version: int
    lines: Mapping[str, int]
    reason: Reason | None = None
    isbn: str | None = None
    expires_at: datetime | None = None

    @classmethod
    def hold(
        cls, order_id: UUID, lines: Mapping[str, int], available: Mapping[str, int], until: datetime
    ) -> "Reservation":
        """A first reservation: held, or refused for good."""
        short = shortage(lines, available)
        if short is not None:
            return cls(order_id, State.REFUSED, 1, {}, short.reason, short.isbn)
        return cls(order_id, State.HELD, 1, lines, expires_at=until)

    @classmethod
    def never_held(cls, order_id: UUID) -> "Reservation":
        """The answer to a commit of what was never reserved: refused, and so is whatever comes later."""
        return cls(order_id, State.REFUSED, 1, {}, Reason.NOT_RESERVED)

    @classmethod
    def tombstone(cls, order_id: UUID) -> "Reservation":
        """A release that came before its reservation: the late reservation finds it and is refused."""
        return cls(order_id, State.RELEASED, 1, {}, Reason.REQUESTED)

    @classmethod
    def sold_elsewhere(cls, order_id: UUID, lines: Mapping[str, int]) -> "Reservation":
        """Of an order that the old shop has confirmed: its copies have left, whether there were enough or not."""
        return cls(order_id, State.COMMITTED, 1, lines)

    @property
    def expired(self) -> bool:
        """Released by the clock rather than by the order: the order may still want its stock."""
        return self.state is State.RELEASED and self.reason is Reason.EXPIRED

    def hold_again(self, available: Mapping[str, int], until: datetime) -> "Reservation":
        """From expired: held anew, or refused for good. Any other state stays as it is."""
        if not self.expired:
            return self
        short = shortage(self.lines, available)
        if short is not None:
            return self._next(State.REFUSED, short.reason, short.isbn)
        return replace(self._next(State.HELD), expires_at=until)

    def commit(self, available: Mapping[str, int]) -> "Reservation":
        """From held: committed. From expired: committed if the stock is still there, else refused for good."""
        if self.state is State.HELD:
            return self._next(State.COMMITTED)
        if not self.expired:
            return self
        short = shortage(self.lines, available)
        # Final: a repeated commit must not succeed after its first one told the order to refund.
        return self._next(State.REFUSED, Reason.EXPIRED, short.isbn) if short else self._next(State.COMMITTED)

    def release(self) -> "Reservation":
        """From held, or from expired, which it makes final. Raises `AlreadyCommitted`."""
        if self.state is State.COMMITTED:
            raise AlreadyCommitted(f"order {self.order_id} has its stock; it cannot be released")
        if self.state is State.HELD or self.expired:
            return self._next(State.RELEASED, Reason.REQUESTED)
        return self

    def expire(self) -> "Reservation":
        """From held only."""
        if self.state is not State.HELD:
            raise ValueError(f"a {self.state} reservation cannot expire")
        return self._next(State.RELEASED, Reason.EXPIRED)

    def answer_to_reserve(self) -> Event:
        """What a reserve command is answered in this state."""
        if self.state in (State.HELD, State.COMMITTED) and self.expires_at is not None:
            return StockReserved(self.order_id, self.version, self.expires_at)
        return self._refusal()

    def answer_to_commit(self) -> Event:
        """What a commit command is answered in this state."""
        committed = self.state is State.COMMITTED
        return StockCommitted(self.order_id, self.version) if committed else self._refusal()

    def answer_to_release(self) -> Event:
        """What a release, asked for or by the clock, is answered: a refused order holds nothing either."""
        return StockReleased(self.order_id, self.version, Reason.EXPIRED if self.expired else Reason.REQUESTED)

    def _refusal(self) -> StockRefused:
        reason = self.reason if self.state is State.REFUSED else None
        return StockRefused(self.order_id, self.version, reason or Reason.RELEASED, self.isbn)

    def _next(self, state: State, reason: Reason | None = None, isbn: str | None = None) -> "Reservation":
        return replace(self, state=state, reason=reason, isbn=isbn, version=self.version + 1)


@dataclass(frozen=True)
class Change:
    """A reservation before (None: there was none) and after a command."""

    before: Reservation | None
    after: Reservation


@dataclass(frozen=True)
class Movement:
    """What changes add to one book's stock on hand and to its reserved copies."""

    on_hand: int = 0
    reserved: int = 0


def movements(changes: Sequence[Change]) -> dict[str, Movement]:
    """Stock follows from states alone: a held reservation reserves its lines, a committed one has taken them.

    So `reserved` = lines held and `on_hand` = `received` − lines committed, whatever sequence of commands led there.
    """
    moved: dict[str, Movement] = {}
    for change in changes:
        reserves = _is(change.after, State.HELD) - _is(change.before, State.HELD)
        takes = _is(change.after, State.COMMITTED) - _is(change.before, State.COMMITTED)
        for isbn, quantity in change.after.lines.items() if reserves or takes else ():
            sum_so_far = moved.get(isbn, Movement())
            moved[isbn] = Movement(sum_so_far.on_hand - takes * quantity, sum_so_far.reserved + reserves * quantity)
    return moved


def _is(reservation: Reservation | None, state: State) -> int:
    return int(reservation is not None and reservation.state is state)
